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
	// Inputs are what the decision was made from: the metrics of the newest
	// sample, the instances "ready" and "warming", the "min" and "max".
	Inputs map[string]float64
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
	decision := func(n int, reason string) Decision {
		d := Decision{Desired: n, Min: minimum, Max: maximum, Reason: reason}
		if reason != "" {
			d.Inputs = sample.inputs(minimum, maximum)
		}
		return d
	}
	clamp := func(n int) int { return max(minimum, min(n, maximum)) }
	if c := clamp(scheduled.want); scheduled.moves && c != desired {
		return decision(c, fmt.Sprintf("%d → %d because %s", desired, c, scheduled.reason)), m
	}
	if c := clamp(desired); c != desired {
		return decision(c, fmt.Sprintf("%d → %d because the bounds are %d to %d", desired, c, minimum, maximum)), m
	}
	highest, ok := m.highest(s, desired)
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
		if s.OutLimit > 0 {
			highest.want = min(highest.want, desired+s.OutLimit)
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
		if held > highest.want {
			highest.reason += fmt.Sprintf("; %d were needed within the last %s", held, spoken(stabilization))
		}
		highest.want = held
		if s.InLimit > 0 {
			highest.want = max(held, desired-s.InLimit)
		}
		m.lastIn = now
	default:
		return decision(desired, ""), m
	}
	return decision(highest.want, fmt.Sprintf("%d → %d because %s", desired, highest.want, highest.reason)), m
}

// highest is the largest wish of all policies: any may grow the group, all
// must agree to shrink it. One whose metric is missing wishes for no change,
// and so prevents shrinking. Without a wish there is no opinion.
func (m Memory) highest(s api.Scaling, desired int) (wish, bool) {
	best, some := wish{want: -1}, false
	add := func(w wish, o opinion) {
		switch o {
		case none:
			return
		case unknown:
			w = wish{want: desired}
		case wishes:
			some = true
		}
		if w.want > best.want {
			best = w
		}
	}
	for _, t := range s.Targets {
		add(m.target(t, desired))
	}
	for _, p := range s.Steps {
		add(m.step(p, desired))
	}
	if w, ok := m.newest().predicted(s); ok && w.want > best.want {
		// It holds a number up, and never lets one down.
		best, some = w, some || w.want > desired
	}
	return best, some
}

func (s Sample) inputs(minimum, maximum int) map[string]float64 {
	in := map[string]float64{
		"ready": float64(s.Ready), "warming": float64(s.Warming), "min": float64(minimum), "max": float64(maximum),
	}
	for k, v := range s.Metrics {
		in[string(k)] = math.Round(v*100) / 100
	}
	if s.Expected != nil {
		in["forecast"] = math.Round(*s.Expected*100) / 100
	}
	return in
}
