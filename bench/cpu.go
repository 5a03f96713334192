package main

import (
	"context"
	"fmt"
	"time"

	"github.com/virga-cloud/virga/api"
)

// cpuLength is how long each share of the CPU is measured.
const cpuLength = 20 * time.Second

// spin keeps a CPU busy.
const spin = "while :; do :; done"

// benchCPU measures whether the kernel gives what instances were promised:
// that a burst instance without credits averages its baseline, that a quota
// holds on an idle machine, that shares divide a busy core, and what the
// controller of credits costs. Other load on the machine spoils it.
func benchCPU(ctx context.Context, e *env) error {
	for _, f := range []func(context.Context, *env) error{cpuBaseline, cpuQuota, cpuShares} {
		if err := f(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// deviation is how far a use is from what it should be, in per cent of that.
func deviation(used, want float64) float64 { return 100 * max(used/want-1, 1-used/want) }

// cpuBaseline depletes a burst instance by a turn to unlimited and back, which
// ends its launch credits.
func cpuBaseline(ctx context.Context, e *env) error {
	const baseline = .1 // two vCPUs at 5 %
	s := spec("/bin/sh", "-c", spin)
	s.Spec.Type = "burst.nano"
	in, err := e.client.Create(ctx, s, true)
	if err != nil {
		return err
	}
	defer e.removed(in.ID)
	for _, mode := range []api.CreditMode{api.CreditUnlimited, api.CreditStandard} {
		if err := e.client.Update(ctx, in.ID, api.UpdateRequest{CreditMode: mode}); err != nil {
			return err
		}
		if err := pause(ctx, 2*time.Second); err != nil {
			return err
		}
	}
	from, err := cpuTime(e.daemon.Process.Pid)
	if err != nil {
		return err
	}
	used, err := e.uses(ctx, in.ID)
	if err != nil {
		return err
	}
	to, err := cpuTime(e.daemon.Process.Pid)
	if err != nil {
		return err
	}
	if err := e.record(figure{Name: "cpu.baseline", Value: deviation(used[0], baseline), Unit: "% off"}, atMost(1)); err != nil {
		return err
	}
	// With the daemon's own idle cost: an upper bound of the controller's.
	cost := 100 * float64(to-from) / float64(cpuLength)
	return e.record(figure{Name: "cpu.daemon", Value: cost, Unit: "% of a core", N: 1}, goal{})
}

func cpuQuota(ctx context.Context, e *env) error {
	s := spec("/bin/sh", "-c", spin)
	s.Spec.Resources.CPUs = .5
	in, err := e.client.Create(ctx, s, true)
	if err != nil {
		return err
	}
	defer e.removed(in.ID)
	used, err := e.uses(ctx, in.ID)
	if err != nil {
		return err
	}
	return e.record(figure{Name: "cpu.quota", Value: deviation(used[0], .5), Unit: "% off"}, atMost(1))
}

// cpuShares lets two instances of weights 1 and 3 fight for one core.
func cpuShares(ctx context.Context, e *env) error {
	var ids []string
	for _, weight := range []int64{1024, 3072} {
		s := spec("/bin/sh", "-c", spin)
		s.Spec.Resources.CPUShares, s.Spec.Resources.CPUSet = weight, "0"
		in, err := e.client.Create(ctx, s, true)
		if err != nil {
			return err
		}
		defer e.removed(in.ID)
		ids = append(ids, in.ID)
	}
	used, err := e.uses(ctx, ids...)
	if err != nil {
		return err
	}
	off := 100*used[0]/(used[0]+used[1]) - 25
	return e.record(figure{Name: "cpu.shares", Value: max(off, -off), Unit: "points off"}, atMost(2))
}

// uses measures how many vCPUs instances use over cpuLength.
func (e *env) uses(ctx context.Context, ids ...string) ([]float64, error) {
	read := func() ([]api.Stats, error) {
		var all []api.Stats
		for _, id := range ids {
			for s, err := range e.client.Stats(ctx, id, false) {
				if err != nil {
					return nil, err
				}
				all = append(all, s)
			}
		}
		if len(all) != len(ids) {
			return nil, fmt.Errorf("%d readings of %d instances", len(all), len(ids))
		}
		return all, nil
	}
	before, err := read()
	if err != nil {
		return nil, err
	}
	if err := pause(ctx, cpuLength); err != nil {
		return nil, err
	}
	after, err := read()
	if err != nil {
		return nil, err
	}
	var used []float64
	for i := range after {
		used = append(used, float64(after[i].CPU.Usage-before[i].CPU.Usage)/float64(after[i].Time.Sub(before[i].Time)))
	}
	return used, nil
}

// removed takes an instance away, whatever became of the measurement.
func (e *env) removed(id string) { _ = e.client.Remove(context.Background(), id, true, false) }

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
