package cpu

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

func TestNeeds(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		vcpus float64
		tick  time.Duration
		want  bool
	}{
		{.1, 4 * ms, true}, {.2, 4 * ms, true}, {.4, 4 * ms, false}, {.1, ms, false}, {.05, ms, true},
		{.001, 4 * ms, true}, {0, 4 * ms, false}, {2, 10 * ms, false}, {.4, 10 * ms, true}, {.6, 10 * ms, false},
	} {
		if got := needs(tt.vcpus, tt.tick); got != tt.want {
			t.Errorf("%v vCPUs with a tick of %v: %v", tt.vcpus, tt.tick, got)
		}
	}
}

// A group is looked at before it has spent its quota, and a quota that changes
// a little costs no new counter.
func TestLookEvery(t *testing.T) {
	const us = time.Microsecond
	for _, tt := range []struct {
		vcpus        float64
		before, want time.Duration
	}{
		{.1, 0, 750 * us}, {.099, 750 * us, 750 * us}, {.11, 750 * us, 750 * us},
		{.2, 750 * us, 1500 * us}, {.1, 1500 * us, 750 * us}, {.01, 0, 750 * us},
	} {
		if got := lookEvery(tt.vcpus, tt.before); got != tt.want {
			t.Errorf("%v vCPUs after %v: %v, want %v", tt.vcpus, tt.before, got, tt.want)
		}
	}
}

// The quotas are those of whatever runs and has one: neither of what stopped,
// nor of who has cores of its own.
func TestQuotas(t *testing.T) {
	m := newMachine()
	c, _ := m.controller(t, t.TempDir())
	m.start(t, c, burst("spins", false), 2)
	m.start(t, c, burst("ends", false), 2)
	m.start(t, c, Claim{Instance: "plain", Family: api.FamilyCustom, CPUs: .25}, 1)
	m.start(t, c, Claim{Instance: "free", Family: api.FamilyCustom}, 1)
	m.start(t, c, Claim{Instance: "own", Family: api.FamilyDedicated, VCPUs: 1}, 1)
	m.run(c, 2*time.Hour)
	c.Ended("ends")
	got, cpus := c.quotas()
	if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, []string{"free", "plain", "spins"}) {
		t.Fatalf("quotas: %v", got)
	}
	near(t, "that of the baseline", got["spins"], .1, .001)
	near(t, "that of its own", got["plain"], .25, 0)
	near(t, "none", got["free"], 0, 0)
	own := c.members["own"].list
	if len(cpus) != 3 || own == "" || slices.Contains(cpus, int(own[0]-'0')) {
		t.Errorf("on %v, and %s are dedicated", cpus, own)
	}
}
