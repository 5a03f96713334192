package cpu

import (
	"math"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/cpu/credit"
)

// How often accounts are brought up to date. A standard account that is about
// to run out is looked at more often.
const (
	slowTick = time.Second
	fastTick = 100 * time.Millisecond
	// rewrite is how much a limit has to change to be written: a write lets a
	// group that stands still go on, which is a small gift.
	rewrite = .01
)

// account is a burst instance's.
type account struct {
	terms credit.Terms
	state credit.Account
	quota float64 // the instance's own, 0 for none

	running bool
	meter   Meter         // of the running life, or nil
	used    time.Duration // its last reading
	at      Moment        // when state was true; since when it stands still
	// owed is time that a standard account used beyond what it had: the
	// kernel lets quotas be exceeded a little, and no daemon watched while
	// there was none. It is paid first.
	owed time.Duration
	// settled says that the stop is in state.
	settled bool

	written float64 // the limit in force, 0 when not known
	fast    bool
	use     float64 // vCPUs used of late
	// measured says that use is known.
	measured bool
	broken   bool // the last write or reading failed, and that was logged

	seconds, minutes *series
}

func openAccount(t credit.Terms, now Moment) *account {
	a := &account{terms: t, state: credit.Open(t), at: now}
	a.keepSeries()
	return a
}

func (a *account) keepSeries() {
	a.seconds = &series{step: Second, keep: 600}
	a.minutes = &series{step: FiveMinutes, keep: 14 * 24 * 12}
}

// advance lets the time until now pass, in which the life has used CPU time up
// to a reading of its meter.
func (a *account) advance(now Moment, reading time.Duration) {
	dt := now.since(a.at)
	used := max(reading-a.used, 0)
	a.at, a.used = now, reading
	due := used + a.owed
	a.owed = 0
	if !a.terms.Unlimited {
		had := vcpuTime(a.state.Available()) + time.Duration(a.terms.Rate()*float64(dt))
		if due > had {
			due, a.owed = had, due-had
		}
	}
	a.state = a.state.Advance(a.terms, dt, due)
	if dt > 0 {
		now := float64(used) / float64(dt)
		keep := math.Exp(-dt.Seconds() / 5) // an average over about five seconds
		if !a.measured {
			keep, a.measured = 0, true
		}
		a.use = keep*a.use + (1-keep)*now
		a.fast = !a.terms.Unlimited && a.state.Available() < 2*a.terms.Taper() &&
			now > a.terms.Rate() && a.limit() > (1+2*rewrite)*a.terms.Rate()
	}
	a.seconds.add(now.Wall, a.at.Up, a.state)
	a.minutes.add(now.Wall, a.at.Up, a.state)
}

// vcpuTime is what a number of credits buys, on one vCPU.
func vcpuTime(credits float64) time.Duration {
	return time.Duration(math.Min(credits*float64(time.Minute), math.MaxInt64/4))
}

// limit is how many vCPUs the instance may use until the next tick.
func (a *account) limit() float64 {
	tick := slowTick
	if a.fast {
		tick = fastTick
	}
	rate := a.terms.Rate()
	l := a.state.Limit(a.terms, tick)
	if a.owed > 0 {
		// What is owed is paid out of the earnings, but never all of them.
		l = max(rate/2, min(l, rate-float64(a.owed)/float64(slowTick)))
	}
	if a.quota > 0 {
		l = min(l, a.quota)
	}
	return l
}

// toWrite is the limit that has to be written, false when the one in force
// will do.
func (a *account) toWrite() (float64, bool) {
	l := a.limit()
	full := float64(a.terms.VCPUs)
	same := math.Abs(l-a.written) <= rewrite*a.written && (l == full) == (a.written == full)
	return l, !same
}

// stop is the end of a stay: launch credits end and surplus is charged.
func (a *account) stop() {
	if !a.settled {
		a.state, a.settled, a.owed = a.state.Stop(), true, 0
	}
}

// resume is a start after a stop.
func (a *account) resume(now Moment) {
	if a.settled {
		a.state, a.settled = a.state.Start(now.since(a.at)), false
	}
	a.at = now
}

// change gives the account other terms.
func (a *account) change(t credit.Terms) {
	if t == a.terms {
		return
	}
	a.state = a.state.Change(a.terms, t)
	a.terms = t
}

// credits is the account as the API shows it.
func (a *account) credits() api.CPUCredits {
	c := api.CPUCredits{
		Mode: api.CreditStandard, Balance: a.state.Available(), Launch: a.state.Launch,
		Cap: a.terms.Cap(), EarnPerHour: a.terms.EarnPerHour(),
		Surplus: a.state.Surplus, Charged: a.state.Charged, Usage: a.state.Spent,
	}
	if a.terms.Unlimited {
		c.Mode = api.CreditUnlimited
	}
	if !a.running {
		return c
	}
	c.Limit = a.limit()
	if d, ok := a.state.Lasts(a.terms, a.use); ok && a.measured && !a.terms.Unlimited {
		c.LastsForSecond = d.Seconds()
	}
	if d, ok := a.state.FullIn(a.terms, a.use); ok && a.measured {
		c.FullInSecond = d.Seconds()
	}
	return c
}
