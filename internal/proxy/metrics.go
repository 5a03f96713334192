package proxy

import (
	"sync/atomic"
	"time"
)

// latencyBounds are the upper ends of the histogram's buckets; a last one has
// none.
var latencyBounds = [...]time.Duration{
	time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second,
}

// Metrics count what a pool served. They grow for as long as the pool exists
// under its name.
type Metrics struct {
	classes  [6]atomic.Int64 // by the first digit of the status; 0 is no answer
	retries  atomic.Int64
	held     atomic.Int64
	buckets  [len(latencyBounds) + 1]atomic.Int64
	duration atomic.Int64 // nanoseconds, summed up
}

func (m *Metrics) observe(status int, took time.Duration) {
	m.classes[min(max(status/100, 0), 5)].Add(1)
	m.duration.Add(int64(took))
	i := 0
	for i < len(latencyBounds) && took > latencyBounds[i] {
		i++
	}
	m.buckets[i].Add(1)
}

// Snapshot is the state of Metrics at a moment.
type Snapshot struct {
	// Requests are by the first digit of their status; [0] got no answer.
	Requests [6]int64
	Retries  int64
	Held     int64 // waited for a first backend
	// Buckets[i] are the requests that took at most Bounds[i] and more than
	// the bound before; the last have no bound.
	Bounds   []time.Duration
	Buckets  []int64
	Duration time.Duration // of all requests together
}

// Snapshot reads the counters.
func (m *Metrics) Snapshot() Snapshot {
	s := Snapshot{Retries: m.retries.Load(), Held: m.held.Load(), Bounds: latencyBounds[:], Duration: time.Duration(m.duration.Load())}
	for i := range m.classes {
		s.Requests[i] = m.classes[i].Load()
	}
	for i := range m.buckets {
		s.Buckets = append(s.Buckets, m.buckets[i].Load())
	}
	return s
}

// Total is the number of requests.
func (s Snapshot) Total() (n int64) {
	for _, r := range s.Requests {
		n += r
	}
	return n
}

// Quantile is an upper bound of the latency that a share q of the requests
// had since an earlier snapshot, 0 without any.
func (s Snapshot) Quantile(q float64, earlier Snapshot) time.Duration {
	counts := make([]int64, len(s.Buckets))
	var total int64
	for i := range counts {
		counts[i] = s.Buckets[i]
		if i < len(earlier.Buckets) {
			counts[i] -= earlier.Buckets[i]
		}
		total += counts[i]
	}
	if total == 0 {
		return 0
	}
	var seen int64
	for i, n := range counts {
		seen += n
		if float64(seen) >= q*float64(total) {
			return s.Bounds[min(i, len(s.Bounds)-1)]
		}
	}
	return s.Bounds[len(s.Bounds)-1]
}
