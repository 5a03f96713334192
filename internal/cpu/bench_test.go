package cpu

import (
	"fmt"
	"testing"
)

// BenchmarkTick1000 is one second's work for a thousand spinning instances;
// readings are simulated. A goal of 2 % of a core is 20 ms.
func BenchmarkTick1000(b *testing.B) {
	m := newMachine()
	c, _ := m.controller(b, b.TempDir())
	for i := range 1000 {
		m.start(b, c, burst(fmt.Sprint(i), i%2 == 0), 2)
	}
	for b.Loop() {
		m.pass(slowTick)
		c.tick()
	}
}
