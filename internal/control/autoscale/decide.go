package autoscale

import (
	"fmt"
	"math"
	"time"

	"github.com/virga-cloud/virga/api"
)

// Decision is how many instances there should be, and why that changed. Min
// and Max are the bounds from now on, which a schedule may have moved.
type Decision struct {
	Desired, Min, Max int
	Reason            string // "" when nothing changes
}

const (
	defaultWindow        = 3 * time.Second
	defaultWarmUp        = 10 * time.Second
	defaultOutCooldown   = 3 * time.Second
	defaultInCooldown    = time.Minute
	defaultStabilization = 5 * time.Minute
	// tolerance is how far from its target a metric may be without moving the
	// group, the value that Kubernetes' autoscaler uses.
	tolerance = 0.1
)

// WarmUp is the scaling's warm-up or the default.
func WarmUp(s api.Scaling) time.Duration { return orDefault(s.WarmUp, defaultWarmUp) }

func orDefault(d api.Duration, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return time.Duration(d)
}

// wish is one policy's opinion.
type wish struct {
	want   int
	reason string
}

// Decide takes one sample and returns the number that the group should have.
// desired is the present one, and min and max its bounds.
func Decide(s api.Scaling, desired, minimum, maximum int, sample Sample, m Memory) (Decision, Memory) {
	now := sample.Time
	stabilization := orDefault(s.Stabilization, defaultStabilization)
	m = m.with(sample, stabilization)
	scheduled, moved, m := m.schedule(s.Schedules, desired, now)
	if moved.min != nil {
		minimum = *moved.min
	}
	if moved.max != nil {
		maximum = *moved.max
	}
	decision := func(n int, reason string) Decision { return Decision{n, minimum, maximum, reason} }
	clamp := func(n int) int { return max(minimum, min(n, maximum)) }
	if scheduled.want != desired {
		return decision(clamp(scheduled.want), scheduled.reason), m
	}
	if c := clamp(desired); c != desired {
		return decision(c, fmt.Sprintf("%d → %d because the bounds are %d to %d", desired, c, minimum, maximum)), m
	}

	highest, ok := m.highest(s, desired, now)
	if !ok {
		return decision(desired, ""), m
	}
	highest.want = clamp(highest.want)
	m.wishes = append(m.wishes, recommendation{now, highest.want})

	switch {
	case highest.want > desired:
		if now.Sub(m.lastOut) < orDefault(s.OutCooldown, defaultOutCooldown) {
			return decision(desired, ""), m
		}
		m.lastOut = now
	case highest.want < desired:
		held := 0
		for _, w := range m.wishes {
			held = max(held, w.want)
		}
		seen := now.Sub(m.wishes[0].time)
		quiet := now.Sub(m.lastIn) >= orDefault(s.InCooldown, defaultInCooldown) && now.Sub(m.lastOut) >= orDefault(s.InCooldown, defaultInCooldown)
		if s.DisableScaleIn || held >= desired || sample.Warming > 0 || !quiet || seen < stabilization*9/10 {
			return decision(desired, ""), m
		}
		highest.want = held
		m.lastIn = now
	default:
		return decision(desired, ""), m
	}
	return decision(highest.want, fmt.Sprintf("%d → %d because %s", desired, highest.want, highest.reason)), m
}

// highest is the largest wish of all policies: any may grow the group, all
// must agree to shrink it. A policy without measurements wishes for no change
// and so prevents shrinking; without any there is no opinion.
func (m Memory) highest(s api.Scaling, desired int, now time.Time) (wish, bool) {
	best, any := wish{want: -1}, false
	add := func(w wish, ok bool) {
		if !ok {
			w = wish{want: desired}
		}
		any = any || ok
		if w.want > best.want {
			best = w
		}
	}
	for _, t := range s.Targets {
		add(m.target(t, desired, now))
	}
	for _, p := range s.Steps {
		add(m.step(p, desired, now))
	}
	return best, any
}

// target wishes for the number that would bring the metric to its target.
func (m Memory) target(t api.TargetPolicy, desired int, now time.Time) (wish, bool) {
	window := orDefault(t.Window, defaultWindow)
	value, ok := m.average(t.Metric, now, window)
	queue := t.Metric == api.MetricQueue // is there without any instance too
	if len(m.samples) == 0 || !ok || t.Target <= 0 || desired == 0 && !queue {
		return wish{}, false
	}
	// What was measured is the load of those in service; those that warm up
	// are capacity already.
	ready := m.samples[len(m.samples)-1].Ready
	if queue {
		// The work is the same however many share it: its average counts, not
		// that of the shares while their number changed.
		ready = max(ready, 1)
		total, _ := m.averageOf(now, window, func(s Sample) (float64, bool) {
			v, ok := s.Metrics[t.Metric]
			return v * float64(max(s.Ready, 1)), ok
		})
		value = total / float64(ready)
	}
	if ready == 0 {
		return wish{}, false
	}
	ratio := value / t.Target
	want := int(math.Ceil(float64(ready)*ratio - 1e-9))
	switch {
	case ratio > 1+tolerance:
		want = max(want, desired) // never fewer while above the target
		return wish{want, fmt.Sprintf("%s %s > %s for %s", t.Metric, show(t.Metric, value), show(t.Metric, t.Target), window)}, true
	case ratio < 1-tolerance:
		return wish{min(want, desired), fmt.Sprintf("%s %s < %s for %s", t.Metric, show(t.Metric, value), show(t.Metric, t.Target), window)}, true
	}
	return wish{want: desired}, true
}

// step wishes for the change of the step that the metric is in.
func (m Memory) step(p api.StepPolicy, desired int, now time.Time) (wish, bool) {
	window := orDefault(p.Window, defaultWindow)
	value, ok := m.average(p.Metric, now, window)
	if !ok {
		return wish{}, false
	}
	beyond := value - p.Threshold
	for _, s := range p.Steps {
		if s.From != nil && beyond < *s.From || s.To != nil && beyond >= *s.To {
			continue
		}
		change := s.Change
		if s.Percent {
			change = roundAway(s.Change / 100 * float64(desired))
		}
		return wish{max(desired+int(change), 0), fmt.Sprintf("%s %s is %s beyond %s for %s", p.Metric,
			show(p.Metric, value), show(p.Metric, beyond), show(p.Metric, p.Threshold), window)}, true
	}
	return wish{want: desired}, true
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

func show(m api.ScalingMetric, v float64) string {
	switch m {
	case api.MetricCPU, api.MetricMemory:
		return fmt.Sprintf("%.0f %%", v)
	case api.MetricLatency:
		return fmt.Sprintf("%.0f ms", v)
	}
	return fmt.Sprintf("%.4g", v)
}
