package cpu

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"
)

// machine is the kernel of the tests: groups that use what they ask for and
// are allowed, by a clock that the test moves. It outlives controllers.
type machine struct {
	mu     sync.Mutex
	now    Moment
	groups map[string]*fakeGroup
	shared string
	online string
	v2     bool
	writes int
}

type fakeGroup struct {
	asks  float64 // vCPUs it would use
	quota float64
	list  string
	used  time.Duration
}

func newMachine() *machine {
	return &machine{
		now:    Moment{"boot", time.Hour, time.Unix(1_800_000_000, 0)},
		groups: map[string]*fakeGroup{}, online: "0-3",
	}
}

// pass lets time go by.
func (m *machine) pass(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now.Up += d
	m.now.Wall = m.now.Wall.Add(d)
	for _, g := range m.groups {
		use := g.asks
		if g.quota > 0 {
			use = min(use, g.quota)
		}
		g.used += time.Duration(use * float64(d))
	}
}

func (m *machine) clock() Moment {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

type fakeMeter struct {
	m *machine
	g *fakeGroup
}

func (f fakeMeter) Read() (time.Duration, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	return f.g.used, nil
}
func (fakeMeter) Close() error { return nil }

func (m *machine) Meter(id string) (Meter, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if g, ok := m.groups[id]; ok {
		return fakeMeter{m, g}, nil
	}
	return nil, errors.New("no such group")
}

func (m *machine) of(id string, do func(*fakeGroup)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if g, ok := m.groups[id]; ok {
		do(g)
		m.writes++
	}
}

func (m *machine) SetQuota(id string, v float64) error {
	m.of(id, func(g *fakeGroup) { g.quota = v })
	return nil
}

func (m *machine) CPUs(id string) (list string, err error) {
	m.of(id, func(g *fakeGroup) { list = g.list })
	return list, nil
}

func (m *machine) SetCPUs(id, list string) error {
	m.of(id, func(g *fakeGroup) { g.list = list })
	return nil
}

func (m *machine) ShareCPUs(list string) error { m.shared = list; return nil }
func (m *machine) EachHasCPUs() bool           { return m.v2 }
func (m *machine) Online() (string, error)     { return m.online, nil }

// controller is a daemon's over the machine.
func (m *machine) controller(t testing.TB, dir string) (*Controller, *[]string) {
	t.Helper()
	said := &[]string{}
	c, err := New(Config{
		Dir: dir, Groups: m, Sys: fstest.MapFS{}, Reserve: 1, Turns: NoTurns{}, Now: m.clock,
		Changed: func(id, message string) { *said = append(*said, id+": "+message) },
		Log:     slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, said
}

// start is what a node does for a life.
func (m *machine) start(t testing.TB, c *Controller, claim Claim, asks float64) Grant {
	t.Helper()
	g, err := c.Admit(claim)
	if err != nil {
		t.Fatal(err)
	}
	m.mu.Lock()
	m.groups[claim.Instance] = &fakeGroup{asks: asks, quota: g.CPUs, list: g.CPUSet}
	m.mu.Unlock()
	c.Started(claim.Instance)
	return g
}

// run ticks for a while, as often as the controller wants.
func (m *machine) run(c *Controller, d time.Duration) {
	next := slowTick
	for d > 0 {
		step := min(next, d)
		m.pass(step)
		d -= step
		next = c.tick()
	}
}

// describe says what is shared and which list of CPUs groups have.
func (m *machine) describe(ids ...string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := []string{"shared=" + m.shared}
	for _, id := range ids {
		if g := m.groups[id]; g != nil {
			s = append(s, fmt.Sprintf("%s=%s", id, g.list))
		}
	}
	return strings.Join(s, " ")
}
