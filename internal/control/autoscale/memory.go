package autoscale

import (
	"slices"
	"time"

	"github.com/virga-cloud/virga/api"
)

// Sample is what was measured of a group at one moment: for each metric the
// average over the instances that are in service. A metric that could not be
// measured is absent, which changes nothing.
type Sample struct {
	Time    time.Time
	Metrics map[api.ScalingMetric]float64
	Ready   int // instances the averages are of
	Warming int // instances that run but are not measured yet
	// Expected is the highest load that is forecast for the time ahead, nil
	// without a forecast.
	Expected *float64
}

// Memory is what Decide must know of the past. Its zero value knows nothing.
type Memory struct {
	samples []Sample         // of the last keepSamples, oldest first
	wishes  []recommendation // of the stabilization window, oldest first
	lastOut time.Time
	lastIn  time.Time
	fired   map[string]time.Time // last moment of each schedule
}

// bounds are what a schedule sets, nil where it leaves things as they are.
type bounds struct{ min, max *int }

type recommendation struct {
	time time.Time
	want int
}

const (
	// keepSamples is longer than any window may be.
	keepSamples = 5 * time.Minute
	// longestGap between two samples is what an overloaded machine may need.
	// After a longer one the clock was set, or the machine slept.
	longestGap = 30 * time.Second
)

// with adds a sample. When the clock was set, what was measured before says
// nothing about the time since, and cooldowns begin anew.
func (m Memory) with(s Sample, stabilization time.Duration) Memory {
	if n := len(m.samples); n > 0 {
		gap := s.Time.Sub(m.samples[n-1].Time)
		if gap < 0 {
			m.lastOut, m.lastIn = earlier(m.lastOut, s.Time), earlier(m.lastIn, s.Time)
		}
		if gap < 0 || gap > longestGap {
			m.samples, m.wishes = nil, nil
		}
	}
	m.samples = append(slices.Clone(m.samples), s)
	m.samples = slices.DeleteFunc(m.samples, func(o Sample) bool { return s.Time.Sub(o.Time) > keepSamples })
	m.wishes = slices.DeleteFunc(slices.Clone(m.wishes), func(o recommendation) bool { return s.Time.Sub(o.time) > stabilization })
	return m
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// newest is the sample that is decided about.
func (m Memory) newest() Sample { return m.samples[len(m.samples)-1] }

// Changed is m after someone else has changed the group's number: it counts as
// a growth, so that what was recommended before does not undo it.
func (m Memory) Changed(now time.Time) Memory {
	m.wishes, m.lastOut = nil, now
	return m
}

// average is the mean of a metric over the last window, and whether there are
// measurements of all of it.
func (m Memory) average(metric api.ScalingMetric, window time.Duration) (float64, bool) {
	return m.averageOf(window, func(s Sample) (float64, bool) {
		v, ok := s.Metrics[metric]
		return v, ok
	})
}

func (m Memory) averageOf(window time.Duration, of func(Sample) (float64, bool)) (float64, bool) {
	now := m.newest().Time
	sum, n, reaches := 0.0, 0, false
	for _, s := range slices.Backward(m.samples) {
		age := now.Sub(s.Time)
		if age > window {
			reaches = true
			break
		}
		v, ok := of(s)
		if !ok {
			return 0, false
		}
		sum, n = sum+v, n+1
		reaches = reaches || age >= window
	}
	if n == 0 || !reaches {
		return 0, false
	}
	return sum / float64(n), true
}
