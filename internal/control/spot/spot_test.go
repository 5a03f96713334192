package spot

import (
	"fmt"
	"math/bits"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestPrice(t *testing.T) {
	for _, tt := range []struct{ utilisation, want float64 }{{-1, .1}, {0, .1}, {.5, .1}, {.75, .325}, {1, 1}, {2, 1}} {
		if got := Price(tt.utilisation); got < tt.want-1e-9 || got > tt.want+1e-9 {
			t.Errorf("price at %v is %v, want %v", tt.utilisation, got, tt.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Float64Range(0, 1).Draw(t, "a"), rapid.Float64Range(0, 1).Draw(t, "b")
		if a < b && Price(a) > Price(b) {
			t.Fatalf("price falls from %v to %v", a, b)
		}
	})
}

// room is of up to that many halves of a vCPU and quarters of a GiB, sometimes
// of whole cores.
func room(t *rapid.T, cpus, memory int64) Room {
	r := Room{VCPUs: rapid.Int64Range(0, cpus).Draw(t, "cpus") * 500, Memory: rapid.Int64Range(0, memory).Draw(t, "memory") << 28}
	r[Baseline] = rapid.Int64Range(0, r[VCPUs]/500).Draw(t, "baseline") * 500
	if rapid.Bool().Draw(t, "dedicated") {
		r[Cores], r[Baseline] = r[VCPUs], r[VCPUs]
	}
	return r
}

func candidates(t *rapid.T, most int) []Candidate {
	n := rapid.IntRange(0, most).Draw(t, "n")
	all := make([]Candidate, n)
	for i := range all {
		all[i] = Candidate{
			ID:      fmt.Sprintf("i%02d", i),
			Room:    room(t, 8, 16),
			Price:   float64(rapid.IntRange(1, 9).Draw(t, "price")) / 100,
			Started: time.Unix(rapid.Int64Range(0, 100).Draw(t, "started"), 0),
		}
	}
	return all
}

// preferred reports whether set a is to be preferred to b.
func preferred(a, b []Candidate) bool { return lossOf(a, indices(a)).less(lossOf(b, indices(b))) }

func indices(set []Candidate) []int {
	list := make([]int, len(set))
	for i := range list {
		list[i] = i
	}
	return list
}

// exhaustive tries every subset.
func exhaustive(all []Candidate, need Room) (best []Candidate, ok bool) {
	for mask := range uint(1) << len(all) {
		if ok && bits.OnesCount(mask) > len(best) {
			continue
		}
		var set []Candidate
		var room Room
		for i, c := range all {
			if mask&(1<<i) != 0 {
				set, room = append(set, c), room.Plus(c.Room)
			}
		}
		if room.Covers(need) && (!ok || preferred(set, best)) {
			best, ok = set, true
		}
	}
	return best, ok
}

func TestVictimsAreTheExhaustiveOptimum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := candidates(t, 12)
		need := room(t, 12, 24)
		got, ok := Victims(all, need)
		want, wantOK := exhaustive(all, need)
		if ok != wantOK || len(got) != len(want) || preferred(want, got) {
			t.Fatalf("got %v %v, want %v %v", got, ok, want, wantOK)
		}
	})
}

func TestVictimsOfManyCoverTheNeed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := candidates(t, 200)
		need := room(t, 60, 100)
		got, ok := Victims(all, need)
		var total, room Room
		for _, c := range all {
			total = total.Plus(c.Room)
		}
		for _, c := range got {
			room = room.Plus(c.Room)
		}
		if ok != total.Covers(need) || ok && !room.Covers(need) {
			t.Fatalf("ok %v, room %v of %v, need %v", ok, room, total, need)
		}
		// None of them can be spared.
		for i, c := range got {
			if room.Minus(c.Room).Covers(need) {
				t.Fatalf("victim %d is not needed", i)
			}
		}
	})
}

// A large instance that needs many of them is answered too.
func TestVictimsByTheThousand(t *testing.T) {
	all, need := manyCandidates()
	got, ok := Victims(all, need.times(400))
	var room Room
	for _, c := range got {
		room = room.Plus(c.Room)
	}
	if !ok || !room.Covers(need.times(400)) || len(got) < 500 {
		t.Fatalf("%d victims with %v of %v", len(got), room, need.times(400))
	}
}

func (r Room) times(n int64) Room {
	for i := range r {
		r[i] *= n
	}
	return r
}

func manyCandidates() ([]Candidate, Room) {
	all := make([]Candidate, 10_000)
	for i := range all {
		all[i] = Candidate{ID: fmt.Sprint(i), Room: Room{VCPUs: int64(100 + i*37%4000), Memory: int64(i*7919%8192) << 20}, Price: float64(i%13) / 100}
	}
	return all, Room{VCPUs: 9000, Memory: 20 << 30}
}

func BenchmarkVictimsOf10000(b *testing.B) {
	all, need := manyCandidates()
	for b.Loop() {
		Victims(all, need)
	}
}

func BenchmarkThousandVictimsOf10000(b *testing.B) {
	all, need := manyCandidates()
	for b.Loop() {
		Victims(all, need.times(400))
	}
}
