package cpu

import (
	"math"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/cpu/credit"
)

func burst(id string, unlimited bool) Claim {
	return Claim{Instance: id, Family: api.FamilyBurst, VCPUs: 2, Baseline: .05, Unlimited: unlimited}
}

func near(t *testing.T, what string, got, want, by float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > by {
		t.Errorf("%s: %.4f, want %.4f ± %.4g", what, got, want, by)
	}
}

func credits(t *testing.T, c *Controller, id string) api.CPUCredits {
	t.Helper()
	v, ok := c.Credits(id)
	if !ok {
		t.Fatalf("%s has no account", id)
	}
	return v
}

// A spinning standard instance spends its launch credits, slows down gradually
// and settles on its baseline; not one credit more is spent than was there.
func TestStandardSettlesOnBaseline(t *testing.T) {
	m := newMachine()
	c, _ := m.controller(t, t.TempDir())
	m.start(t, c, burst("a", false), 2)
	var spent time.Duration
	used := func() time.Duration { return m.groups["a"].used }
	m.run(c, 20*time.Minute)
	near(t, "credits after 20 minutes at full speed", credits(t, c, "a").Balance, 60-20*1.9, .1)
	m.run(c, 2*time.Hour)
	spent = used()
	had := 60 + 140*.1
	if got := spent.Minutes(); got > had+.05 {
		t.Errorf("spent %.3f credits of %.3f", got, had)
	}
	m.run(c, time.Minute)
	near(t, "vCPUs after depletion", (used()-spent).Seconds()/60, .1, .001)
	near(t, "limit", credits(t, c, "a").Limit, .1, .001)
	m.groups["a"].asks = 0
	m.run(c, 24*time.Hour)
	near(t, "balance after a day of rest", credits(t, c, "a").Balance, 144, .01)
}

func TestUnlimitedOwesSurplus(t *testing.T) {
	m := newMachine()
	c, _ := m.controller(t, t.TempDir())
	m.start(t, c, burst("a", true), 2)
	m.run(c, time.Hour)
	v := credits(t, c, "a")
	near(t, "surplus", v.Surplus, 1.9*60, .01)
	near(t, "limit", v.Limit, 2, 0)
	near(t, "quota", m.groups["a"].quota, 2, 0)
	// Standard from now on: what was owed is charged, and the baseline holds.
	claim := burst("a", false)
	g, err := c.Change(claim)
	if err != nil {
		t.Fatal(err)
	}
	m.groups["a"].quota = g.CPUs
	c.Started("a")
	v = credits(t, c, "a")
	near(t, "charged", v.Charged, 1.9*60, .01)
	near(t, "surplus after", v.Surplus, 0, 0)
	near(t, "limit after", v.Limit, .1, .001)
}

// However a daemon ends, the account goes on as if it had not.
func TestRestartOfTheDaemon(t *testing.T) {
	for _, how := range []string{"orderly", "killed", "killed before the first save", "killed twice"} {
		t.Run(how, func(t *testing.T) {
			dir, m := t.TempDir(), newMachine()
			c, _ := m.controller(t, dir)
			m.start(t, c, burst("a", false), 1)
			if how != "killed before the first save" {
				m.run(c, 10*time.Minute)
				if err := c.save(); err != nil {
					t.Fatal(err)
				}
			}
			m.run(c, 9*time.Second)
			if how == "orderly" {
				if err := c.Close(); err != nil {
					t.Fatal(err)
				}
			}
			before := credits(t, c, "a")
			for range map[string]int{"killed twice": 2}[how] + 1 {
				m.pass(30 * time.Second)
				before.Balance -= .45 // of 30 s at one vCPU, less what was earned
				c, _ = m.controller(t, dir)
				if _, err := c.Adopt(burst("a", false)); err != nil {
					t.Fatal(err)
				}
			}
			want := before.Balance
			if how == "killed before the first save" {
				want = 60 - (39. / 60) // of the usage, and nothing earned: when it began is not known
			}
			near(t, "balance", credits(t, c, "a").Balance, want, .001)
		})
	}
}

// While no daemon watches, a standard account may spend what it has not. It
// pays that back.
func TestWhatWasOverspentIsPaidBack(t *testing.T) {
	dir, m := t.TempDir(), newMachine()
	c, _ := m.controller(t, dir)
	m.start(t, c, burst("a", false), 2)
	m.run(c, 20*time.Minute)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	m.pass(30 * time.Minute) // at two vCPUs: 57 credits, 22 were there
	c, _ = m.controller(t, dir)
	if _, err := c.Adopt(burst("a", false)); err != nil {
		t.Fatal(err)
	}
	near(t, "limit while it owes", credits(t, c, "a").Limit, .05, .0001)
	m.run(c, 20*time.Hour)
	spent, had := m.groups["a"].used.Minutes(), 60+.1*(20*60+50)
	near(t, "spent at last", spent, had, .1)
}

func TestStopAndStart(t *testing.T) {
	day := 24 * time.Hour
	for _, tt := range []struct {
		name  string
		away  time.Duration
		boot  string
		clock time.Duration // by which the wall clock is set forward
		want  float64
	}{
		{"an hour", time.Hour, "boot", 0, 12},
		{"six days", 6 * day, "boot", 0, 12},
		{"eight days", 8 * day, "boot", 0, 0},
		{"eight days of the wall clock only", time.Hour, "boot", 8 * day, 12},
		{"clock set back", time.Hour, "boot", -8 * day, 12},
		{"eight days and a reboot", 8 * day, "next", 0, 0},
		{"a reboot", time.Hour, "next", 0, 12},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir, m := t.TempDir(), newMachine()
			c, _ := m.controller(t, dir)
			m.start(t, c, burst("a", false), 0)
			m.run(c, 2*time.Hour)
			near(t, "with the launch credits", credits(t, c, "a").Balance, 72, .01)
			c.Release("a")
			near(t, "at the stop", credits(t, c, "a").Balance, 12, .01)
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			m.pass(tt.away)
			m.now.Wall = m.now.Wall.Add(tt.clock)
			if m.now.Boot = tt.boot; tt.boot != "boot" {
				m.now.Up = time.Minute
			}
			c, _ = m.controller(t, dir)
			m.start(t, c, burst("a", false), 0)
			near(t, "at the start", credits(t, c, "a").Balance, tt.want, .01)
		})
	}
}

// The machine went down under a running instance: it earns nothing meanwhile.
func TestReboot(t *testing.T) {
	dir, m := t.TempDir(), newMachine()
	c, _ := m.controller(t, dir)
	m.start(t, c, burst("a", false), 0)
	m.run(c, time.Hour)
	if err := c.save(); err != nil {
		t.Fatal(err)
	}
	m.pass(5 * time.Hour)
	m.now.Boot, m.now.Up = "next", time.Second
	c, _ = m.controller(t, dir)
	c.Ended("a") // the node settles the life that was lost
	m.start(t, c, burst("a", false), 0)
	m.run(c, time.Hour)
	near(t, "two hours of earning", credits(t, c, "a").Balance, 60+12, .01)
}

// A clock that is set changes nothing.
func TestClockIsSet(t *testing.T) {
	m := newMachine()
	c, _ := m.controller(t, t.TempDir())
	m.start(t, c, burst("a", false), .5)
	for _, step := range []time.Duration{time.Hour, -2 * time.Hour, 300 * time.Hour} {
		m.run(c, time.Minute)
		m.now.Wall = m.now.Wall.Add(step)
	}
	m.run(c, time.Minute)
	near(t, "balance", credits(t, c, "a").Balance, 60-4*.4, .001)
}

// A restart by policy is no stop: launch credits go on.
func TestRestartByPolicy(t *testing.T) {
	m := newMachine()
	c, _ := m.controller(t, t.TempDir())
	m.start(t, c, burst("a", false), 1)
	m.run(c, 10*time.Minute)
	c.Ended("a")
	m.start(t, c, burst("a", false), 1)
	m.run(c, 10*time.Minute)
	near(t, "balance", credits(t, c, "a").Balance, 60-20*.9, .01)
}

func TestResizeIntoAndOutOfBurst(t *testing.T) {
	m := newMachine()
	c, _ := m.controller(t, t.TempDir())
	shared := Claim{Instance: "a", Family: api.FamilyShared, VCPUs: 1}
	m.start(t, c, shared, 1)
	m.run(c, time.Hour)
	if _, ok := c.Credits("a"); ok {
		t.Error("a shared instance has credits")
	}
	change := func(to Claim) {
		g, err := c.Change(to)
		if err != nil {
			t.Fatal(err)
		}
		m.groups["a"].quota = g.CPUs
		c.Started("a")
	}
	change(burst("a", true))
	near(t, "usage before it was burst", credits(t, c, "a").Usage, 0, 0)
	m.run(c, time.Minute)
	near(t, "usage", credits(t, c, "a").Usage, 1, .01)
	change(shared)
	near(t, "charged when it is no longer", credits(t, c, "a").Charged, .9, .01)
	m.run(c, time.Hour)
	near(t, "usage of a shared one", credits(t, c, "a").Usage, 1, .01)
}

func TestSeries(t *testing.T) {
	m := newMachine()
	c, _ := m.controller(t, t.TempDir())
	m.start(t, c, burst("a", false), 1)
	m.run(c, 20*time.Minute+time.Second)
	seconds, minutes := c.Series("a", time.Second), c.Series("a", 5*time.Minute)
	if len(seconds) != 600 || len(minutes) != 4 {
		t.Fatalf("%d seconds and %d five minutes", len(seconds), len(minutes))
	}
	sum := 0.
	for i, s := range seconds {
		sum += s.Usage
		if i > 0 && !s.Time.After(seconds[i-1].Time) {
			t.Fatalf("sample %d is not after the one before", i)
		}
	}
	near(t, "usage in the last ten minutes", sum, 10, .05)
	near(t, "usage in five minutes", minutes[1].Usage, 5, .05)
	near(t, "balance in the end", minutes[3].Balance, credits(t, c, "a").Balance, .05)
}

// Few writes: a limit that hardly changes is left alone.
func TestFewWrites(t *testing.T) {
	m := newMachine()
	c, _ := m.controller(t, t.TempDir())
	m.start(t, c, burst("a", false), 2)
	m.run(c, 3*time.Hour)
	if m.writes > 600 {
		t.Errorf("%d writes within three hours", m.writes)
	}
	before := m.writes
	m.run(c, time.Hour)
	if n := m.writes - before; n > 2 {
		t.Errorf("%d writes within an hour on the baseline", n)
	}
}

func TestOf(t *testing.T) {
	typ := api.InstanceType{Family: api.FamilyBurst, VCPUs: 2, Baseline: .2, CreditMode: api.CreditUnlimited}
	if c := Of("a", &typ, "", api.Resources{}); c.terms() != (credit.Terms{VCPUs: 2, Baseline: .2, Unlimited: true}) {
		t.Errorf("%+v", c)
	}
	if c := Of("a", &typ, api.CreditStandard, api.Resources{}); c.Unlimited {
		t.Error("the instance's own mode does not win")
	}
	if c := Of("a", nil, "", api.Resources{CPUs: .5}); c.Family != api.FamilyCustom || c.CPUs != .5 {
		t.Errorf("%+v", c)
	}
}

// Launch credits that a change took away do not come back with a crash.
func TestKilledAfterAChange(t *testing.T) {
	dir, m := t.TempDir(), newMachine()
	c, _ := m.controller(t, dir)
	m.start(t, c, burst("a", false), 0)
	if err := c.save(); err != nil {
		t.Fatal(err)
	}
	for _, unlimited := range []bool{true, false} {
		if _, err := c.Change(burst("a", unlimited)); err != nil {
			t.Fatal(err)
		}
		c.Started("a")
	}
	c, _ = m.controller(t, dir)
	if _, err := c.Adopt(burst("a", false)); err != nil {
		t.Fatal(err)
	}
	near(t, "launch credits", credits(t, c, "a").Launch, 0, 0)
}
