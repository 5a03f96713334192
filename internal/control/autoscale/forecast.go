package autoscale

import (
	"fmt"
	"math"
	"time"

	"github.com/virga-cloud/virga/api"
)

const (
	// Slot is the time over which loads are averaged.
	Slot = 15 * time.Minute
	day  = 24 * time.Hour
	week = 7 * day
	// kept is how much history there is at most, and Horizon how far a
	// forecast reaches: those of EC2's predictive scaling.
	kept    = 14 * day
	Horizon = 2 * day
	// enough is the least history that anything is forecast from; three
	// quarters of its last day must have been measured.
	enough = day
	// unmeasured stands for a slot without measurements.
	unmeasured = -1

	defaultAhead = 5 * time.Minute

	// lately are the slots whose level is compared with what was expected of
	// them; the correction is at most levelLimit or its inverse, and halves
	// each levelHalfLife ahead.
	lately        = 4
	levelLimit    = 2
	levelHalfLife = 3 * time.Hour
)

// History is the load of a group in the past: in instances that are busy to
// their target, averaged over slots. It is bounded, and a plain value that can
// be stored. Its zero value is empty.
type History struct {
	Start time.Time `json:"start"` // beginning of the first slot
	// Loads are the slots that are over; unmeasured ones are -1.
	Loads []float64 `json:"loads"`
	// Sum and Count are of the slot that is not over.
	Sum   float64 `json:"sum"`
	Count int     `json:"count"`
}

// Load is what a sample says of a group's load: by the target that needs most.
// Latency does not say how many instances would do.
func Load(s api.Scaling, sample Sample) (load float64, ok bool) {
	if sample.Ready == 0 {
		return 0, sample.Warming == 0
	}
	for _, t := range s.Targets {
		v, measured := sample.Metrics[t.Metric]
		if t.Metric == api.MetricLatency || !measured || !(t.Target > 0) {
			continue
		}
		load, ok = math.Max(load, v*float64(sample.Ready)/t.Target), true
	}
	return load, ok
}

// Add notes a load, and reports whether a slot has ended. A time before the
// present slot, of a clock that was set back, is left out.
func (h History) Add(now time.Time, load float64) (next History, ended bool) {
	slot := now.UTC().Truncate(Slot)
	if h.Start.IsZero() || slot.Sub(h.end()) >= kept {
		h = History{Start: slot}
	}
	if slot.Before(h.end()) {
		return h, false
	}
	for h.end().Before(slot) {
		mean := float64(unmeasured)
		if h.Count > 0 {
			mean = math.Round(h.Sum/float64(h.Count)*1000) / 1000
		}
		h.Loads = append(h.Loads[:len(h.Loads):len(h.Loads)], mean)
		h.Sum, h.Count, ended = 0, 0, true
	}
	if over := len(h.Loads) - int(kept/Slot); over > 0 {
		h.Loads, h.Start = append([]float64(nil), h.Loads[over:]...), h.Start.Add(time.Duration(over)*Slot)
	}
	h.Sum, h.Count = h.Sum+load, h.Count+1
	return h, ended
}

// end is the beginning of the slot that is not over.
func (h History) end() time.Time { return h.Start.Add(time.Duration(len(h.Loads)) * Slot) }

// at is the load of the slot that begins at t, if it was measured.
func (h History) at(t time.Time) (float64, bool) {
	i := int(t.Sub(h.Start) / Slot)
	if t.Before(h.Start) || i >= len(h.Loads) || h.Loads[i] < 0 {
		return 0, false
	}
	return h.Loads[i], true
}

// Slots are the slots that were measured, oldest first.
func (h History) Slots() []api.LoadSlot {
	out := []api.LoadSlot{}
	for i, v := range h.Loads {
		if v >= 0 {
			out = append(out, api.LoadSlot{Time: h.Start.Add(time.Duration(i) * Slot), Load: v})
		}
	}
	return out
}

// season is what earlier seasons say of the slot that begins at t: the mean of
// the same slot of the same weekday of the last two weeks, or before there are
// any of the last three days. This is the seasonal naive method (Hyndman and
// Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., 5.2), over
// more than one season so that one odd day counts less.
func (h History) season(t time.Time) (float64, bool) {
	for _, of := range []struct {
		length time.Duration
		most   int
	}{{week, 2}, {day, 3}} {
		sum, n := 0.0, 0
		for k := t.Add(-of.length); n < of.most && !k.Before(h.Start); k = k.Add(-of.length) {
			if v, ok := h.at(k); ok {
				sum, n = sum+v, n+1
			}
		}
		if n > 0 {
			return sum / float64(n), true
		}
	}
	return 0, false
}

// level is how the last hour was to what its seasons had said.
func (h History) level() float64 {
	was, said := 0.0, 0.0
	for i := 1; i <= lately; i++ {
		t := h.end().Add(-time.Duration(i) * Slot)
		v, ok := h.at(t)
		s, known := h.season(t)
		if ok && known {
			was, said = was+v, said+s
		}
	}
	if was <= 0 || said <= 0 {
		return 1
	}
	return math.Min(math.Max(was/said, 1.0/levelLimit), levelLimit)
}

// known reports whether there is enough history to forecast from.
func (h History) known() bool {
	if h.end().Sub(h.Start) < enough {
		return false
	}
	measured := 0
	for t := h.end().Add(-day); t.Before(h.end()); t = t.Add(Slot) {
		if _, ok := h.at(t); ok {
			measured++
		}
	}
	return measured >= int(day/Slot)*3/4
}

// Forecast is the load that is expected of each slot from the one that now is
// in until ahead later: the season's, corrected by how the last hour was. It is
// empty without enough history, and has no slot that no season knows of.
func (h History) Forecast(now time.Time, ahead time.Duration) []api.LoadSlot {
	out := []api.LoadSlot{}
	if h.Start.IsZero() || !h.known() {
		return out
	}
	level := h.level()
	for t := now.UTC().Truncate(Slot); !t.After(now.Add(ahead)); t = t.Add(Slot) {
		v, ok := h.season(t)
		if !ok {
			continue
		}
		off := math.Max(t.Sub(now).Hours(), 0) / levelHalfLife.Hours()
		v *= 1 + (level-1)*math.Pow(0.5, off)
		out = append(out, api.LoadSlot{Time: t, Load: math.Round(v*1000) / 1000})
	}
	return out
}

// Expected is the highest load that is forecast for the time a policy looks
// ahead, nil without a forecast.
func (h History) Expected(p api.PredictivePolicy, now time.Time) *float64 {
	var most *float64
	for _, s := range h.Forecast(now, orDefault(p.Ahead, defaultAhead)) {
		if most == nil || s.Load > *most {
			most = &s.Load
		}
	}
	return most
}

// predicted wishes for the instances that the forecast needs.
func (s Sample) predicted(c api.Scaling) (wish, bool) {
	p := c.Predictive
	if p == nil || p.Mode == api.PredictForecast || s.Expected == nil {
		return wish{}, false
	}
	want := int(math.Ceil(*s.Expected - 1e-9))
	return wish{want, fmt.Sprintf("a load of %.3g instances is forecast within %s", *s.Expected, spoken(orDefault(p.Ahead, defaultAhead)))}, true
}
