package autoscale

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
)

// wish is the number that one policy wants, and why.
type wish struct {
	want   int
	reason string
}

// opinion is what a policy makes of the samples.
type opinion int

const (
	none    opinion = iota // it does not apply now
	unknown                // its metric is missing
	wishes
)

// target wishes for the number that would bring the metric to its target.
func (m Memory) target(t api.TargetPolicy, desired int) (wish, opinion) {
	window := orDefault(t.Window, defaultWindow)
	value, ok := m.average(t.Metric, window)
	queue := t.Metric == api.MetricQueue // is there without any instance too
	if !ok || t.Target <= 0 || desired == 0 && !queue {
		return wish{}, unknown
	}
	// What was measured is the load of those in service; those that warm up
	// are capacity already.
	ready := m.newest().Ready
	if queue {
		// The work is the same however many share it: its average counts, not
		// that of the shares while their number changed.
		ready = max(ready, 1)
		total, _ := m.averageOf(window, func(s Sample) (float64, bool) {
			v, ok := s.Metrics[t.Metric]
			return v * float64(max(s.Ready, 1)), ok
		})
		value = total / float64(ready)
	}
	if ready == 0 {
		return wish{}, unknown
	}
	ratio := value / t.Target
	want := int(math.Ceil(float64(ready)*ratio - 1e-9))
	switch {
	case ratio > 1+tolerance:
		if newest := m.newest().Metrics[t.Metric]; newest < value {
			// Those that came into service within the window help already.
			want = int(math.Ceil(float64(ready)*newest/t.Target - 1e-9))
		}
		want = max(want, desired) // never fewer while above the target
		return wish{want, because(t.Metric, value, ">", t.Target, window)}, wishes
	case ratio < 1-tolerance:
		return wish{min(want, desired), because(t.Metric, value, "<", t.Target, window)}, wishes
	}
	return wish{want: desired}, wishes
}

// step wishes for the change of the step that the metric is in. Growing, those
// that warm up are what an earlier step has added already.
func (m Memory) step(p api.StepPolicy, desired int) (wish, opinion) {
	window := orDefault(p.Window, defaultWindow)
	value, ok := m.average(p.Metric, window)
	if !ok {
		return wish{}, unknown
	}
	beyond := value - p.Threshold
	for _, s := range p.Steps {
		if s.From != nil && beyond < *s.From || s.To != nil && beyond >= *s.To {
			continue
		}
		sign := map[bool]string{true: "<", false: "≥"}[beyond < 0]
		return wish{applyStep(s, desired, m.newest().Warming), because(p.Metric, value, sign, p.Threshold, window)}, wishes
	}
	return wish{}, none
}

// applyStep is the number after a step. EC2 leaves what still warms up out of the
// number that a growing step starts from, so that one alarm is not answered
// again and again before the answer can show; so does this.
func applyStep(s api.Step, desired, warming int) int {
	if s.Exact {
		return max(int(s.Change), 0)
	}
	from := desired
	if s.Change > 0 {
		from = max(desired-warming, 0)
	}
	change := s.Change
	if s.Percent {
		change = roundAway(s.Change / 100 * float64(from))
	}
	want := max(from+int(change), 0)
	if s.Change > 0 {
		want = max(want, desired)
	}
	return want
}

// roundAway rounds a change as EC2 does: towards zero, but never to zero.
func roundAway(c float64) float64 {
	switch {
	case c > 0 && c < 1:
		return 1
	case c < 0 && c > -1:
		return -1
	}
	return math.Trunc(c)
}

// because says it as people do: CPU 91 % > 70 % for 3 s.
func because(m api.ScalingMetric, value float64, sign string, bound float64, window time.Duration) string {
	name := map[api.ScalingMetric]string{
		api.MetricCPU: "CPU", api.MetricMemory: "memory", api.MetricNetwork: "network traffic", api.MetricRequests: "requests per instance",
		api.MetricLatency: "p95 latency", api.MetricQueue: "queue per instance",
	}[m]
	return fmt.Sprintf("%s %s %s %s for %s", name, show(m, value), sign, show(m, bound), spoken(window))
}

func show(m api.ScalingMetric, v float64) string {
	switch m {
	case api.MetricCPU, api.MetricMemory:
		return fmt.Sprintf("%.0f %%", v)
	case api.MetricLatency:
		return fmt.Sprintf("%.0f ms", v)
	case api.MetricNetwork:
		return api.FormatBytes(int64(v)) + "/s"
	case api.MetricRequests:
		return fmt.Sprintf("%.4g/s", v)
	}
	return fmt.Sprintf("%.4g", v)
}

// spoken is a duration with a space before its unit, where it has just one.
func spoken(d time.Duration) string {
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}} {
		if d >= u.unit && d%u.unit == 0 {
			return fmt.Sprintf("%d %s", d/u.unit, u.name)
		}
	}
	return strings.TrimSpace(d.String())
}
