package cpu

import (
	"testing"
	"time"
)

func TestNeeds(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		vcpus float64
		tick  time.Duration
		want  bool
	}{
		{.1, 4 * ms, true}, {.2, 4 * ms, true}, {.4, 4 * ms, false}, {.1, ms, false}, {.05, ms, true},
		{.001, 4 * ms, true}, {0, 4 * ms, false}, {2, 10 * ms, false}, {.6, 10 * ms, true},
	} {
		if got := needs(tt.vcpus, tt.tick); got != tt.want {
			t.Errorf("%v vCPUs with a tick of %v: %v", tt.vcpus, tt.tick, got)
		}
	}
}

// Those that use most of what they may are pressing: neither one that rests,
// nor one that has stopped.
func TestPressing(t *testing.T) {
	m := newMachine()
	c, _ := m.controller(t, t.TempDir())
	m.start(t, c, burst("spins", false), 2)
	m.start(t, c, burst("rests", false), .01)
	m.start(t, c, burst("ends", false), 2)
	m.run(c, 2*time.Hour)
	c.Ended("ends")
	m.run(c, time.Minute)
	got := c.pressing()
	if len(got) != 1 {
		t.Fatalf("pressing: %v", got)
	}
	near(t, "limit", got["spins"], .1, .001)
	m.groups["spins"].asks = 0
	m.run(c, time.Minute)
	if got := c.pressing(); len(got) != 0 {
		t.Errorf("pressing after a rest: %v", got)
	}
}
