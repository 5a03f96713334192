package autoscale

import (
	"fmt"
	"maps"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/cron"
)

// scheduled is the number that a schedule sets.
type scheduled struct {
	wish
	moves bool
}

// schedule applies the schedules whose moment came since the last call. The
// first call only notes the time: what was due before the group was watched is
// not made up for.
func (m Memory) schedule(policies []api.SchedulePolicy, desired int, now time.Time) (w scheduled, moved bounds, next Memory) {
	w.want = desired
	if len(policies) == 0 {
		m.fired = nil
		return w, moved, m
	}
	fired := maps.Clone(m.fired)
	if fired == nil {
		fired = map[string]time.Time{}
	}
	for _, p := range policies {
		at, err := cron.Parse(p.Cron)
		if err != nil {
			continue // refused when the group was stored
		}
		last, known := fired[p.Cron]
		if !known || last.After(now) { // the clock was set back: no moment comes twice at once
			fired[p.Cron] = now
			continue
		}
		due := at.Next(last)
		if due.IsZero() || due.After(now) {
			continue
		}
		fired[p.Cron] = now
		if p.Min != nil {
			moved.min = p.Min
		}
		if p.Max != nil {
			moved.max = p.Max
		}
		if p.Desired != nil {
			w = scheduled{wish{*p.Desired, fmt.Sprintf("of the schedule %q", p.Cron)}, true}
		}
	}
	m.fired = fired
	return w, moved, m
}
