package cpu

import (
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/cpu/credit"
)

// Steps of the series that are kept.
const (
	Second      = time.Second
	FiveMinutes = 5 * time.Minute
)

// series keeps the newest samples of an account, one for each step of time in
// which it ran. A sample is 20 bytes: a node with a thousand instances keeps
// two weeks of theirs.
type series struct {
	step time.Duration
	keep int

	samples []sample
	first   int           // index of the oldest, once keep are there
	fresh   int           // how many of the newest were not returned by unsaved
	began   time.Duration // uptime at which the step under way began
	spent   float64       // of the account then
}

type sample struct {
	at                               uint32 // seconds since 1970
	usage, balance, surplus, charged float32
}

// slack lets a tick that comes a little early end its step.
const slack = 50 * time.Millisecond

// add ends the step under way when it is over.
func (s *series) add(wall time.Time, up time.Duration, a credit.Account) {
	if s.began == 0 || up < s.began {
		s.began, s.spent = up, a.Spent
		return
	}
	if up-s.began < s.step-min(slack, s.step/10) {
		return
	}
	v := sample{uint32(wall.Unix()), float32(a.Spent - s.spent), float32(a.Available()), float32(a.Surplus), float32(a.Charged)}
	s.began, s.spent = up, a.Spent
	s.push(v)
}

func (s *series) push(v sample) {
	s.fresh = min(s.fresh+1, s.keep)
	if len(s.samples) < s.keep {
		s.samples = append(s.samples, v)
		return
	}
	s.samples[s.first] = v
	s.first = (s.first + 1) % s.keep
}

// unsaved are the samples that it has not returned yet, oldest first.
func (s *series) unsaved() []slotted {
	var out []slotted
	n := len(s.samples)
	for i := n - s.fresh; i < n; i++ {
		slot := (s.first + i) % n
		out = append(out, slotted{s.samples[slot], slot})
	}
	s.fresh = 0
	return out
}

// rest ends a run: the next one begins a new step.
func (s *series) rest() { s.began = 0 }

// all are the samples, oldest first.
func (s *series) all() []api.CreditSample {
	out := make([]api.CreditSample, 0, len(s.samples))
	for i := range s.samples {
		v := s.samples[(s.first+i)%len(s.samples)]
		out = append(out, api.CreditSample{
			Time: time.Unix(int64(v.at), 0).UTC(), Usage: float64(v.usage),
			Balance: float64(v.balance), Surplus: float64(v.surplus), Charged: float64(v.charged),
		})
	}
	return out
}
