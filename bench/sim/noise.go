package sim

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/autoscale"
)

// Reversals is how often a group changes the direction in which its number
// moves, in that long under a load at its target with so much noise (0.2 is
// ±20 %), by the defaults of a CPU target. The load is evenly distributed and
// drawn anew each second, from seed.
func Reversals(length time.Duration, noise float64, seed uint64) int {
	const target, instances = 70.0, 4
	s := api.Scaling{Targets: []api.TargetPolicy{{Metric: api.MetricCPU, Target: target}}}
	r := rand.New(rand.NewPCG(seed, 1))
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var m autoscale.Memory
	born := make([]time.Time, instances)
	desired, direction, turns := instances, 0, 0
	for now := start; now.Before(start.Add(length)); now = now.Add(time.Second) {
		ready := 0
		for _, b := range born {
			if now.Sub(b) >= autoscale.WarmUp(s) {
				ready++
			}
		}
		load := instances * target * (1 + noise*(2*r.Float64()-1))
		sample := autoscale.Sample{Time: now, Ready: ready, Warming: desired - ready,
			Metrics: map[api.ScalingMetric]float64{api.MetricCPU: math.Min(load/float64(max(ready, 1)), 100)}}
		var d autoscale.Decision
		d, m = autoscale.Decide(s, desired, 1, 50, sample, m)
		if d.Desired == desired {
			continue
		}
		way := map[bool]int{true: 1, false: -1}[d.Desired > desired]
		if direction != 0 && way != direction {
			turns++
		}
		for len(born) < d.Desired {
			born = append(born, now)
		}
		born = born[:d.Desired]
		desired, direction = d.Desired, way
	}
	return turns
}
