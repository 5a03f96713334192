package cost

import (
	"time"

	"github.com/virga-cloud/virga/api"
)

// Minimum is the least that one run is billed for, as on EC2.
const Minimum = time.Minute

// Record is one uninterrupted run of an instance at one size: a start, a stop,
// and a resize each begin or end one.
type Record struct {
	Instance string            `json:"instance"`
	Name     string            `json:"name"`
	Project  string            `json:"project"`
	Group    string            `json:"group,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
	Type     string            `json:"type"`
	Spot     bool              `json:"spot,omitempty"`
	VCPUs    float64           `json:"vcpus"`  // promised
	Memory   int64             `json:"memory"` // bytes promised
	Price    float64           `json:"price"`  // per hour, a spot discount included
	Start    time.Time         `json:"start"`
	End      time.Time         `json:"end,omitzero"` // zero while it runs
	// Resumed says that the run goes on from another record without having
	// stopped, as after a resize: the minimum was paid there.
	Resumed bool `json:"resumed,omitempty"`
	// Surplus are the credits charged during the run, at its end while it runs.
	Surplus float64 `json:"surplus,omitempty"`
}

// within is how much of the run lies in [from, to), billed and real.
func (r Record) within(from, to, now time.Time) (billed, real time.Duration) {
	end := r.End
	if end.IsZero() {
		end = now
	}
	real = overlap(r.Start, end, from, to)
	if least := r.Start.Add(Minimum); !r.Resumed && end.Before(least) {
		end = least
	}
	return overlap(r.Start, end, from, to), real
}

func overlap(start, end, from, to time.Time) time.Duration {
	if start.Before(from) {
		start = from
	}
	if end.After(to) {
		end = to
	}
	return max(end.Sub(start), 0)
}

// surplusCost is charged in the period in which the run ends, or now.
func (r Record) surplusCost(rates api.Rates, from, to, now time.Time) float64 {
	at := r.End
	if at.IsZero() {
		at = now
	}
	if at.Before(from) || !at.Before(to) && !at.Equal(now) {
		return 0
	}
	return r.Surplus / 60 * rates.CreditFee
}
