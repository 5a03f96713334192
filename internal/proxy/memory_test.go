//go:build !race

package proxy

import (
	"runtime"
	"runtime/metrics"
	"testing"
)

// It is not for the race detector, under which a sync.Pool loses things on purpose.
func TestExchangeTakesNoMemory(t *testing.T) {
	ask := exchanges(t)
	ask()
	// A collection may empty the pools meanwhile, for which few are allowed.
	if n := testing.AllocsPerRun(2000, ask); n > 2 {
		t.Errorf("%.0f allocations a request", n)
	}
}

// Ten thousand clients that say nothing are not to cost more than they must:
// serving one request leaves a stack of the smallest size that it fits into.
func TestIdleConnectionsHaveSmallStacks(t *testing.T) {
	stacks := func() uint64 {
		s := []metrics.Sample{{Name: "/memory/classes/heap/stacks:bytes"}}
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	connect := connector(t)
	connect()() // the first dials the backend
	runtime.GC()
	const n = 1000
	before := stacks()
	for range n {
		connect()()
	}
	if each := (stacks() - before) / n; each > 4500 {
		t.Errorf("%d bytes of stack for each connection, want 4096", each)
	}
}
