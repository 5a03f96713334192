package container

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// BenchmarkLife reports the medians of the parts of one life, in µs.
func BenchmarkLife(b *testing.B) {
	f := newFixture(b)
	parts := map[string][]time.Duration{}
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		t := f.task(fmt.Sprint("bench", i), "exit 0")
		b.StartTimer()
		at := time.Now()
		lap := func(name string) {
			now := time.Now()
			parts[name] = append(parts[name], now.Sub(at))
			at = now
		}
		if _, err := f.Start(b.Context(), t); err != nil {
			b.Fatal(err)
		}
		lap("start")
		<-f.Exits()
		lap("exit")
		if err := f.Forget(b.Context(), t.Instance, 1); err != nil {
			b.Fatal(err)
		}
		lap("forget")
		if err := f.Remove(b.Context(), t.Instance); err != nil {
			b.Fatal(err)
		}
		lap("remove")
	}
	for name, all := range parts {
		slices.Sort(all)
		b.ReportMetric(float64(all[len(all)/2].Microseconds()), name+"-µs")
	}
}
