package main

import (
	"context"
	"fmt"
)

// throughputTurns is how often each flow is measured, and throughputBytes how
// much it sends each time: a third of a second on a slow machine.
const (
	throughputTurns = 25
	throughputBytes = "500M"
)

// Where a flow's two ends run: all flows alike, so that the kernel does not
// place one better than another. On one core, what goes through in a second is
// what a second of CPU time carries, with nothing that waits for another core.
const (
	twoCores = askedCore + "," + servedCore
	oneCore  = askedCore + "," + askedCore
)

// flow is a way for data: send measures it once, in Gbit/s, with the ends on
// the given cores.
type flow struct {
	name string
	send func(ctx context.Context, cores string) (float64, error)
}

// turns measures flows one after the other, throughputTurns times, every second
// time in the opposite order: what drifts drifts for all.
func turns(ctx context.Context, cores string, flows ...flow) ([]samples, error) {
	out := make([]samples, len(flows))
	for turn := range throughputTurns {
		for i := range flows {
			if turn%2 == 1 {
				i = len(flows) - 1 - i
			}
			v, err := flows[i].send(ctx, cores)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", flows[i].name, err)
			}
			out[i] = append(out[i], v)
		}
	}
	return out, nil
}
