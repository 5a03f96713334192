//go:build !race

package proxy

import "testing"

// It is not for the race detector, under which a sync.Pool loses things on purpose.
func TestExchangeTakesNoMemory(t *testing.T) {
	ask := exchanges(t)
	ask()
	// A collection may empty the pools meanwhile, for which few are allowed.
	if n := testing.AllocsPerRun(2000, ask); n > 2 {
		t.Errorf("%.0f allocations a request", n)
	}
}
