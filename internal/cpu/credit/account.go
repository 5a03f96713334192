package credit

import (
	"math"
	"time"
)

// Account is the state of one burst instance's credits. It is a value: every
// step returns the next state. No field is ever negative.
type Account struct {
	Balance float64 `json:"balance"` // earned and not yet spent; at most the cap
	Launch  float64 `json:"launch"`  // granted at launch; spent first, outside the cap
	Surplus float64 `json:"surplus"` // spent in advance; at most the cap
	Charged float64 `json:"charged"` // surplus that is to be paid for; only grows
	Spent   float64 `json:"spent"`   // credits used since launch; only grows
}

// Open is the account of an instance at its launch.
func Open(t Terms) Account {
	if t.Unlimited {
		return Account{}
	}
	return Account{Launch: LaunchPerVCPU * float64(t.VCPUs)}
}

// Available is what can be spent before the account is empty.
func (a Account) Available() float64 { return a.Balance + a.Launch }

// Advance lets dt pass, in which the instance used that much vCPU time. A
// clock that went backwards earns nothing.
func (a Account) Advance(t Terms, dt, used time.Duration) Account {
	earned, spent := t.Rate()*of(max(dt, 0)), of(max(used, 0))
	a.Spent += spent
	fromLaunch := math.Min(a.Launch, spent)
	a.Launch -= fromLaunch
	net := a.Balance - a.Surplus + earned - (spent - fromLaunch)
	if net >= 0 {
		a.Balance, a.Surplus = math.Min(t.Cap(), net), 0
		return a
	}
	a.Balance = 0
	if !t.Unlimited {
		// A standard account owes nothing: Limit keeps what was spent within
		// what was there.
		a.Surplus = 0
		return a
	}
	a.Surplus = math.Min(t.Cap(), -net)
	a.Charged += math.Max(-net-t.Cap(), 0)
	return a
}

// Limit is how many vCPUs the instance may use during the next tick. It falls
// gradually as a standard account runs low, and never allows more than the
// account holds, so that nothing can be overspent.
func (a Account) Limit(t Terms, tick time.Duration) float64 {
	all, rate := float64(t.VCPUs), t.Rate()
	if t.Unlimited {
		return all
	}
	limit := all
	if left := a.Available(); left < t.Taper() {
		limit = rate + (all-rate)*left/t.Taper()
	}
	return math.Min(limit, rate+a.Available()/of(tick))
}

// Settle charges the surplus, as at a stop, a termination or a change from
// unlimited to standard.
func (a Account) Settle() Account {
	a.Charged += a.Surplus
	a.Surplus = 0
	return a
}

// Stop is the account of an instance that stops: launch credits end, the
// surplus is charged, the balance is kept for Keep.
func (a Account) Stop() Account {
	a = a.Settle()
	a.Launch = 0
	return a
}

// Start is the account of an instance that starts again after that long.
func (a Account) Start(stopped time.Duration) Account {
	if stopped > Keep {
		a.Balance = 0
	}
	return a
}

// Change is the account under new terms: another mode or another size. Credits
// above the new cap are lost, launch credits do not survive unlimited mode.
func (a Account) Change(from, to Terms) Account {
	if from.Unlimited && !to.Unlimited {
		a = a.Settle()
	}
	if to.Unlimited {
		a.Launch = 0
	}
	if excess := a.Surplus - to.Cap(); excess > 0 {
		a.Charged += excess
		a.Surplus = to.Cap()
	}
	a.Balance = math.Min(a.Balance, to.Cap())
	return a
}

// Lasts is how long the account lasts at a steady use of that many vCPUs, and
// whether it is ever empty.
func (a Account) Lasts(t Terms, use float64) (time.Duration, bool) {
	if use <= t.Rate() {
		return 0, false
	}
	return minutes(a.Available() / (use - t.Rate())), true
}

// FullIn is how long until the balance is at the cap at a steady use of that
// many vCPUs, and whether it ever is.
func (a Account) FullIn(t Terms, use float64) (time.Duration, bool) {
	if use >= t.Rate() {
		return 0, false
	}
	return minutes((t.Cap() - a.Balance + a.Surplus) / (t.Rate() - use)), true
}

// minutes is m minutes, at most what a Duration holds.
func minutes(m float64) time.Duration {
	return time.Duration(math.Min(m*float64(time.Minute), math.MaxInt64/2))
}
