package nft

import (
	"fmt"
	"net/netip"
	"testing"
)

func targets(weights ...int) []Target {
	var out []Target
	for i, w := range weights {
		out = append(out, Target{netip.MustParseAddrPort(fmt.Sprintf("10.0.0.%d:80", i+1)), w})
	}
	return out
}

func TestEachTargetGetsItsShareOfSlots(t *testing.T) {
	for _, weights := range [][]int{{1}, {1, 1}, {1, 2, 1}, {1, 127}, {1, 1, 1, 1, 1, 1, 1}, {1000, 1000}} {
		list, total := targets(weights...), 0
		for _, w := range weights {
			total += w
		}
		got := make([]int, len(list))
		for _, i := range assign(list) {
			got[i]++
		}
		for i, w := range weights {
			want := float64(w) * Slots / float64(total)
			if d := float64(got[i]) - want; d > 1 || d < -1 {
				t.Errorf("weights %v: target %d has %d slots, want %.1f", weights, i, got[i], want)
			}
		}
	}
	if assign(nil) != nil {
		t.Error("slots without targets")
	}
}

func TestMostSlotsStayWhenATargetGoes(t *testing.T) {
	five := targets(1, 1, 1, 1, 1)
	before := assign(five)
	after := assign(five[:4])
	moved := 0
	for i := range before {
		if before[i] != 4 && before[i] != after[i] {
			moved++
		}
	}
	if moved > Slots/3 {
		t.Errorf("%d of %d slots moved between targets that stayed", moved, Slots)
	}
}
