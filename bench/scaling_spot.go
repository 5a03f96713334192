package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/bench/sim"
)

const (
	reclaimRounds = 50
	reclaimAtOnce = 20 // instances that must leave in each round
	victimsOf     = 10_000
	victimRuns    = 100
	metadataTime  = 10 * time.Second
)

// scalingVictims measures the choice of who must leave among many.
func (e *env) scalingVictims(context.Context) error {
	var s samples
	for seed := range uint64(victimRuns) {
		s = append(s, ms(sim.Victims(victimsOf, seed)))
	}
	return e.compare("scaling.victims", "ms", s, atMost(2), nil)
}

// scalingReclaim measures from a request for room that spot instances have to
// the notice that each of them can see.
func (e *env) scalingReclaim(ctx context.Context) error {
	var seen samples
	for range reclaimRounds {
		took, err := e.reclaim(ctx)
		if err != nil {
			return err
		}
		seen = append(seen, took...)
	}
	worst := seen.quantile(1)
	return e.record(figure{Name: "scaling.notice", Value: worst, Unit: "ms", P95: seen.p95(), N: len(seen),
		About: fmt.Sprintf("the slowest of %d notices, %d at once; median %.3g", len(seen), reclaimAtOnce, seen.median())}, atMost(1000))
}

// reclaim fills the node's memory with spot instances, asks for all of it, and
// says how long each notice took.
func (e *env) reclaim(ctx context.Context) (took samples, err error) {
	capacity, err := e.client.Capacity(ctx)
	if err != nil {
		return nil, err
	}
	each := capacity[0].Free.Memory / reclaimAtOnce &^ (1<<20 - 1)
	stop := api.Duration(0)
	spec := api.InstanceSpec{Image: "bench", Command: []string{"/bin/busybox", "sleep", "1000"}, StopTimeout: &stop}
	var ids []string
	defer func() {
		for _, id := range ids {
			err = errors.Join(err, gone(e.client.Remove(context.WithoutCancel(ctx), id, true, true)))
		}
	}()
	spec.Resources.Memory, spec.Spot = each, &api.Spot{}
	for range reclaimAtOnce {
		in, err := e.client.Create(ctx, api.CreateRequest{Spec: spec}, true)
		if err != nil {
			return nil, err
		}
		ids = append(ids, in.ID)
	}
	// The work waits for the room; its own start is not asked for.
	spec.Resources.Memory, spec.Spot = each*reclaimAtOnce, nil
	work, err := e.client.Create(ctx, api.CreateRequest{Spec: spec}, false)
	if err != nil {
		return nil, err
	}
	ids = append(ids, work.ID)
	began := time.Now()
	asking, cancel := context.WithCancel(ctx)
	asked := make(chan error, 1)
	go func() { asked <- e.client.Start(asking, work.ID) }()
	defer func() {
		cancel()
		<-asked
	}()
	noticed := map[string]bool{}
	for time.Since(began) < scalingPatience && ctx.Err() == nil {
		all, err := e.client.Instances(ctx, api.InstanceFilter{})
		if err != nil {
			return nil, err
		}
		for _, in := range all {
			if in.Noticed() && !noticed[in.ID] {
				noticed[in.ID] = true
				took = append(took, ms(time.Since(began)))
			}
		}
		if len(took) == reclaimAtOnce {
			return took, nil
		}
		time.Sleep(time.Millisecond)
	}
	return nil, fmt.Errorf("%d of %d instances were told to leave", len(took), reclaimAtOnce)
}

// gone takes "not found" for done.
func gone(err error) error {
	if api.CodeOf(err) == api.CodeNotFound {
		return nil
	}
	return err
}

// scalingMetadata measures reads of the metadata service by the AWS SDK's
// client in an instance.
func (e *env) scalingMetadata(ctx context.Context) error {
	in, err := e.client.Create(ctx, spec("/bin/bench", "probe", "metadata", metadataTime.String()), true)
	if err != nil {
		return err
	}
	defer e.removed(in.ID)
	d, err := e.probed(ctx, in.ID)
	if err != nil {
		return err
	}
	return e.record(figure{Name: "scaling.metadata", Value: ms(d.P99), Unit: "ms", N: d.N,
		About: fmt.Sprintf("p99 of the SDK's reads in an instance; median %.3g", ms(d.P50))}, atMost(5))
}
