package spot

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

// world is a node in virtual time, on which everything that Decide says is
// carried out, unless a crash comes first.
type world struct {
	t      *testing.T
	rand   *rand.Rand
	market Market
	now    time.Time
	all    []Instance
	given  map[string]api.SpotNotice // every notice there was
	due    map[string]time.Time      // when their time has passed, by now
	skew   time.Duration             // that the node's clock is off by
	set    bool                      // whether somebody sets it
	ended  int
}

func (w *world) find(id string) *Instance {
	i := slices.IndexFunc(w.all, func(in Instance) bool { return in.ID == id })
	if i < 0 {
		return nil
	}
	return &w.all[i]
}

// decide decides by the node's clock, which may have been set meanwhile.
func (w *world) decide() Decision {
	if w.set {
		w.market.Boot, w.market.Uptime = "this", time.Duration(w.now.UnixNano())
		if w.rand.IntN(8) == 0 {
			w.skew = time.Duration(w.rand.Int64N(int64(48*time.Hour))) - 24*time.Hour
		}
	}
	return Decide(w.market, w.all, w.now.Add(w.skew))
}

// step decides once and carries out as much as the daemon lives for.
func (w *world) step() {
	d := w.decide()
	crash := w.rand.IntN(4) == 0
	left := w.rand.IntN(3)
	do := func(f func()) {
		if crash && left == 0 {
			return
		}
		left--
		f()
	}
	w.optimal(d)
	for _, n := range d.Notices {
		do(func() {
			if _, twice := w.given[n.ID]; twice {
				w.t.Fatalf("%s gets a second notice", n.ID)
			}
			in, notice := w.find(n.ID), n.Notice
			if notice.Deadline.Sub(w.now.Add(w.skew)) < w.market.Notice {
				w.t.Fatalf("the notice of %s is short: %v", n.ID, notice)
			}
			w.due[n.ID] = w.now.Add(w.market.Notice)
			in.Spot.Notice = &notice
			w.given[n.ID] = notice
		})
	}
	for _, id := range d.End {
		do(func() {
			in := w.find(id)
			if w.now.Before(w.due[id]) || !in.Spot.Notice.Deadline.Equal(w.given[id].Deadline) {
				w.t.Fatalf("%s ends at %v, its deadline was %v", id, w.now, w.due[id])
			}
			w.all = slices.DeleteFunc(w.all, func(o Instance) bool { return o.ID == id })
			w.ended++
		})
	}
	for _, id := range d.Admit {
		do(func() { w.find(id).Waits = false })
	}
	free := w.market.Total
	for _, in := range w.all {
		if !in.Waits {
			free = free.Minus(in.Holds)
		}
	}
	if !free.Covers(Room{}) {
		w.t.Fatalf("the node is over-full: %v", free)
	}
}

// optimal checks the victims of the first that waits against every subset.
func (w *world) optimal(d Decision) {
	if len(d.Waits) != 1 || len(d.Notices) == 0 {
		return
	}
	free, coming := w.market.Total, Room{}
	var all []Candidate
	for _, in := range w.all {
		if in.Waits {
			continue
		}
		free = free.Minus(in.Holds)
		switch {
		case in.Spot == nil:
		case in.Spot.Notice != nil:
			coming = coming.Plus(in.Spot.Frees)
		default:
			all = append(all, Candidate{ID: in.ID, Room: in.Spot.Frees, Price: in.Spot.OnDemand * w.market.Share, Started: in.Spot.Started})
		}
	}
	want, ok := exhaustive(all, w.find(d.Waits[0].ID).Wants.Minus(free).Minus(coming))
	var got []Candidate
	for _, n := range d.Notices {
		i := slices.IndexFunc(all, func(c Candidate) bool { return c.ID == n.ID })
		got = append(got, all[i])
	}
	if !ok || len(got) != len(want) || preferred(want, got) {
		w.t.Fatalf("told %v to leave, the optimum is %v", got, want)
	}
}

// A thousand reclaims with crashes between any two writes: none ends before its
// deadline, no deadline moves, every notice is there within a second, and the
// victims are the optimum.
func TestAThousandReclaims(t *testing.T) { reclaims(t, false) }

// The same while the node's clock is set back and forth by up to a day.
func TestAThousandReclaimsWhileTheClockIsSet(t *testing.T) { reclaims(t, true) }

func reclaims(t *testing.T, set bool) {
	w := &world{
		t: t, rand: rand.New(rand.NewPCG(1, 2)), now: time.Unix(1e9, 0), given: map[string]api.SpotNotice{},
		due: map[string]time.Time{}, set: set,
		market: Market{Total: Room{VCPUs: 16e6, Baseline: 16e6, Cores: 14e6, Memory: 64 << 30}, Share: 0.3, Notice: 2 * time.Minute},
	}
	pace := 100 * time.Millisecond
	for next := 0; w.ended < 1000; w.now = w.now.Add(pace) {
		free, waiting := w.market.Total, 0
		spots := 0
		for _, in := range w.all {
			free = free.Minus(in.Holds)
			if in.Waits {
				waiting++
			}
			if in.Spot != nil {
				spots++
			}
		}
		size := Room{VCPUs: int64(1+w.rand.IntN(8)) * 5e5, Memory: int64(1+w.rand.IntN(16)) << 29}
		size[Baseline] = size[VCPUs] / 5
		next++
		in := Instance{ID: fmt.Sprintf("i%06d", next), Holds: size, Wants: size, Since: w.now}
		in.Name = in.ID
		switch {
		case spots < 12 && free.Covers(size):
			in.Spot = &Offer{OnDemand: float64(1+w.rand.IntN(9)) / 100, Frees: size, Runs: true, Started: w.now}
			w.all = append(w.all, in)
		case waiting == 0:
			// On-demand work that fits once every spot instance has left.
			room := w.market.Total
			for _, o := range w.all {
				if o.Spot == nil {
					room = room.Minus(o.Holds)
				}
			}
			if in.Waits = true; room.Covers(size) {
				w.all = append(w.all, in)
				break
			}
			w.all = slices.DeleteFunc(w.all, func(o Instance) bool { return o.Spot == nil }) // that work is done
		}
		w.step()
		// Within a second whoever waits has its notices, though the daemon is
		// killed now and then. After that, time goes faster.
		pace = 100 * time.Millisecond
		for _, in := range w.all {
			if since := w.now.Sub(in.Since); in.Waits && since == time.Second {
				if d := w.decide(); len(d.Notices) > 0 {
					t.Fatalf("%s waits for %v and notices are still to be given", in.ID, since)
				}
			} else if in.Waits && since > time.Second {
				pace = 10 * time.Second
			}
		}
	}
}

// One decision, as a reader sees it.
func TestDecide(t *testing.T) {
	now := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	gib := func(n int64) Room { return Room{Memory: n << 30} }
	m := Market{Total: Room{VCPUs: 1e9, Baseline: 1e9, Cores: 1e9, Memory: 8 << 30}, Share: 0.5, Notice: 2 * time.Minute}
	spot := func(name string, n int64) Instance {
		return Instance{ID: name, Name: name, Holds: gib(n), Wants: gib(n), Spot: &Offer{OnDemand: 1, Frees: gib(n), Runs: true}}
	}
	work := Instance{ID: "work", Name: "work", Holds: gib(3), Wants: gib(3), Waits: true, Since: now}

	d := Decide(m, []Instance{spot("a", 2), spot("b", 4), spot("c", 2), work}, now)
	if len(d.Notices) != 1 || d.Notices[0].ID != "b" || !d.Notices[0].Notice.Deadline.Equal(now.Add(2*time.Minute)) {
		t.Errorf("notices %+v", d.Notices)
	}
	if len(d.Waits) != 1 || !strings.Contains(d.Waits[0].Reason, "spot b must leave by 2030-01-01T12:02:00Z") || len(d.Admit) != 0 {
		t.Errorf("waits %+v, admitted %v", d.Waits, d.Admit)
	}

	told := spot("b", 4)
	told.Spot.Notice = &d.Notices[0].Notice
	all := []Instance{spot("a", 2), told, spot("c", 2), work}
	if again := Decide(m, all, now.Add(time.Minute)); len(again.Notices)+len(again.End) != 0 || !again.Wake.Equal(now.Add(2*time.Minute)) {
		t.Errorf("before the deadline: %+v", again)
	}
	if end := Decide(m, all, now.Add(2*time.Minute)); !slices.Equal(end.End, []string{"b"}) {
		t.Errorf("at the deadline: %+v", end)
	}
	if left := Decide(m, []Instance{spot("a", 2), spot("c", 2), work}, now); !slices.Equal(left.Admit, []string{"work"}) {
		t.Errorf("when it has left: %+v", left)
	}

	dear := spot("a", 1)
	dear.Spot.MaxPrice = 0.4
	if d := Decide(m, []Instance{dear}, now); len(d.Notices) != 1 || d.Notices[0].Notice.Cause != api.CausePrice {
		t.Errorf("above the most to pay: %+v", d)
	}

	stopped := spot("a", 0)
	stopped.Wants, stopped.Spot.Runs = gib(2), false
	stopped.Spot.Notice = &api.SpotNotice{Action: api.InterruptStop, Deadline: now, Done: now}
	if d := Decide(m, []Instance{stopped}, now); !slices.Equal(d.Resume, []string{"a"}) {
		t.Errorf("room again: %+v", d)
	}
	if d := Decide(m, []Instance{stopped, {ID: "x", Holds: gib(6), Wants: gib(6)}}, now); len(d.Resume) != 0 {
		t.Errorf("resumed without headroom: %+v", d)
	}
	if d := Decide(m, []Instance{spot("a", 4), spot("b", 4)}, now); len(d.Rebalance) != 1 {
		t.Errorf("the node is full and %v are told", d.Rebalance)
	}
}

// How much time a notice leaves: by what the node has run since the boot in
// which it was given, whatever its clock says; after another boot by the clock.
func TestLeft(t *testing.T) {
	now := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	given := &api.SpotNotice{Noticed: now, Deadline: now.Add(2 * time.Minute), Boot: "a", Uptime: api.Duration(time.Hour)}
	old := &api.SpotNotice{Noticed: now, Deadline: now.Add(2 * time.Minute)} // of before notices had that
	for _, c := range []struct {
		what   string
		notice *api.SpotNotice
		boot   string
		uptime time.Duration
		clock  time.Duration // since now
		want   time.Duration
	}{
		{"a minute later", given, "a", time.Hour + time.Minute, time.Minute, time.Minute},
		{"the clock was set forward", given, "a", time.Hour + time.Second, 24 * time.Hour, 119 * time.Second},
		{"the clock was set back", given, "a", time.Hour + 121*time.Second, -24 * time.Hour, -time.Second},
		{"after another boot", given, "b", time.Second, time.Minute, time.Minute},
		{"where the boot is not known", given, "", 0, 3 * time.Minute, -time.Minute},
		{"a notice without it", old, "a", time.Hour, time.Minute, time.Minute},
	} {
		m := Market{Boot: c.boot, Uptime: c.uptime}
		if got := m.Left(c.notice, now.Add(c.clock)); got != c.want {
			t.Errorf("%s: %s left, want %s", c.what, got, c.want)
		}
	}
}
