package credit

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

type stretch struct {
	hours, util      float64
	balance, surplus float64
	charged          float64 // within the stretch
	launch           float64
}

// The worked examples of EC2's user guide, each over its whole length.
func TestWorkedExamples(t *testing.T) {
	tests := []struct {
		name      string
		terms     Terms
		open      Account
		stretches []stretch
	}{
		{"two vCPUs, unlimited, from zero", Terms{2, .05, true}, Account{}, []stretch{
			{24, 0, 144, 0, 0, 0}, {12, .025, 144, 0, 0, 0}, {24, .07, 86.4, 0, 0, 0}, {12, .025, 122.4, 0, 0, 0},
			{5, 1, 0, 144, 303.6, 0}, {13, .05, 0, 144, 0, 0}, {24, 0, 0, 0, 0, 0},
		}},
		{"two vCPUs, standard, without a grant", Terms{2, .05, false}, Account{}, []stretch{
			{24, 0, 144, 0, 0, 0}, {12, .025, 144, 0, 0, 0}, {24, .07, 86.4, 0, 0, 0}, {12, .025, 122.4, 0, 0, 0},
			{2, .6, 0, 0, 0, 0}, {14, .05, 0, 0, 0, 0}, {24, 0, 144, 0, 0, 0},
		}},
		{"one vCPU, standard, with a grant", Terms{1, .05, false}, Open(Terms{1, .05, false}), []stretch{
			{24, 0, 72, 0, 0, 30}, {12, 0, 72, 0, 0, 30}, {25, .02, 72, 0, 0, 0}, {11, .02, 72, 0, 0, 0},
			{3, .2, 45, 0, 0, 0}, {15, .02, 72, 0, 0, 0}, {6, 0, 72, 0, 0, 0},
		}},
	}
	for _, tt := range tests {
		for _, tick := range []time.Duration{5 * time.Minute, time.Second} {
			t.Run(tt.name+" "+tick.String(), func(t *testing.T) {
				a := tt.open
				for i, s := range tt.stretches {
					before := a.Charged
					used := time.Duration(s.util * float64(tt.terms.VCPUs) * float64(tick))
					for range int(s.hours * float64(time.Hour/tick)) {
						a = a.Advance(tt.terms, tick, used)
					}
					for what, pair := range map[string][2]float64{
						"balance": {a.Balance, s.balance}, "surplus": {a.Surplus, s.surplus},
						"charged": {a.Charged - before, s.charged}, "launch": {a.Launch, s.launch},
					} {
						if math.Abs(pair[0]-pair[1]) > 0.1 {
							t.Errorf("stretch %d: %s %.3f, want %.3f", i+1, what, pair[0], pair[1])
						}
					}
				}
			})
		}
	}
}

// A controller that always spends what Limit allows never takes more than was
// there, whatever the tick.
func TestLimitAllowsNoOverspend(t *testing.T) {
	for _, tick := range []time.Duration{100 * time.Millisecond, time.Second, 5 * time.Second} {
		terms := Terms{2, .05, false}
		a := Account{Balance: 10}
		var used time.Duration
		const ticks = 20000
		for range ticks {
			u := time.Duration(a.Limit(terms, tick) * float64(tick))
			used += u
			a = a.Advance(terms, tick, u)
		}
		had := 10 + terms.Rate()*of(ticks*tick)
		if got := of(used); got > had+1e-6 {
			t.Errorf("tick %s: spent %.6f credits of %.6f", tick, got, had)
		}
		if got := a.Limit(terms, tick); math.Abs(got-terms.Rate()) > 0.01*terms.Rate() {
			t.Errorf("tick %s: depleted limit %.4f vCPUs, want the baseline %.4f", tick, got, terms.Rate())
		}
	}
}

func terms(t *rapid.T, label string) Terms {
	return Terms{
		VCPUs:     rapid.IntRange(1, 8).Draw(t, label+" vcpus"),
		Baseline:  rapid.Float64Range(.01, 1).Draw(t, label+" baseline"),
		Unlimited: rapid.Bool().Draw(t, label+" unlimited"),
	}
}

// Whatever happens to an account: nothing is negative, nothing is above its
// cap, and no credit comes from nothing.
func TestAccountInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := terms(t, "open")
		a := Open(now)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			was := a
			worth := func(a Account) float64 { return a.Available() - a.Surplus - a.Charged }
			gain := 0.0
			switch rapid.IntRange(0, 3).Draw(t, "event") {
			case 0:
				dt := time.Duration(rapid.Int64Range(-int64(time.Hour), int64(48*time.Hour)).Draw(t, "dt"))
				use := time.Duration(rapid.Float64Range(0, float64(now.VCPUs)).Draw(t, "use") * float64(max(dt, 0)))
				a = a.Advance(now, dt, use)
				gain = now.Rate()*of(max(dt, 0)) - of(use)
				if !now.Unlimited {
					gain = max(gain, -was.Available())
				}
			case 1:
				a = a.Stop()
			case 2:
				a = a.Start(time.Duration(rapid.Int64Range(0, int64(2*Keep)).Draw(t, "stopped")))
			case 3:
				next := terms(t, "next")
				a, now = a.Change(now, next), next
			}
			for what, v := range map[string]float64{
				"balance": a.Balance, "launch": a.Launch, "surplus": a.Surplus,
				"charged": a.Charged - was.Charged, "spent": a.Spent - was.Spent,
			} {
				if v < -1e-9 || math.IsNaN(v) {
					t.Fatalf("%s is negative: %v", what, v)
				}
			}
			if a.Balance > now.Cap()+1e-9 || a.Surplus > now.Cap()+1e-9 {
				t.Fatalf("above the cap %v: %+v", now.Cap(), a)
			}
			if got := worth(a) - worth(was); got > gain+1e-6 {
				t.Fatalf("gained %v credits where %v were earned", got, gain)
			}
		}
	})
}

func TestForecasts(t *testing.T) {
	burst := Terms{2, .2, false}
	a := Account{Balance: 48}
	if d, ok := a.Lasts(burst, 2); !ok || d.Round(time.Second) != 30*time.Minute {
		t.Errorf("lasts %v %v, want 30m", d, ok)
	}
	if _, ok := a.Lasts(burst, .3); ok {
		t.Error("an account below its baseline runs out")
	}
	if d, ok := a.FullIn(burst, 0); !ok || d.Round(time.Second) != 22*time.Hour {
		t.Errorf("full in %v %v, want 22h", d, ok)
	}
}
