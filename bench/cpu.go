package main

import (
	"context"
	"fmt"
	"math"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
)

// cpuLength is how long each share of the CPU is measured, baselineLength how
// long that of a burst instance.
const (
	cpuLength      = 20 * time.Second
	baselineLength = time.Minute
)

// spin keeps a CPU busy, spinTwo keeps two.
const (
	spin    = "while :; do :; done"
	spinTwo = spin + " & " + spin
)

// cpuParts measure whether the kernel gives what instances were promised:
// that a burst instance without credits averages its baseline and never stands
// still for long, that a quota holds on an idle machine, that shares divide a
// busy core, that a dedicated core is nobody else's, and what the controller of
// credits costs. Other load on the machine spoils it.
var cpuParts = []part{
	{"baseline", (*env).cpuBaseline}, {"stall", (*env).cpuStall}, {"controller", (*env).cpuController}, {"quota", (*env).cpuQuota},
	{"shares", (*env).cpuShares}, {"alone", (*env).cpuAlone}, {"dedicated", (*env).cpuDedicated}, {"thousand", (*env).cpuThousand},
}

// deviation is how far a use is from what it should be, in per cent of that.
func deviation(used, want float64) float64 { return 100 * math.Abs(used/want-1) }

// nanoBaseline is what burst.nano may use without credits: two vCPUs at 5 %.
const nanoBaseline = .1

// cpuBaseline measures a burst instance without credits for a minute.
func (e *env) cpuBaseline(ctx context.Context) error {
	in, err := e.depleted(ctx, "/bin/sh", "-c", spin)
	if err != nil {
		return err
	}
	defer e.removed(in.ID)
	used, err := e.uses(ctx, baselineLength, in.ID)
	if err != nil {
		return err
	}
	off := figure{Name: "cpu.baseline", Value: deviation(used[0], nanoBaseline), Unit: "% off", About: "burst.nano without credits, 60 s"}
	if err := e.record(off, atMost(1)); err != nil {
		return err
	}
	over := max(used[0]-nanoBaseline, 0) * baselineLength.Seconds() / 60
	return e.record(figure{Name: "cpu.overspend", Value: over, Unit: "credits", About: "beyond the baseline, 60 s"}, atMost(.001))
}

// controlled are the instances of cpuController: what a machine of two CPUs
// admits.
const controlled = 7

// cpuController measures what ten depleted burst instances cost the daemon
// beyond what ten others do.
func (e *env) cpuController(ctx context.Context) error {
	var cost [2]float64
	for i, kind := range []string{"shared.nano", "burst.nano"} {
		var ids []string
		for range controlled {
			s := spec("/bin/sh", "-c", spin)
			s.Spec.Type = kind
			in, err := e.client.Create(ctx, s, true)
			if err != nil {
				return err
			}
			defer e.removed(in.ID)
			ids = append(ids, in.ID)
		}
		// What starting them left to do is not the controller's.
		if err := pause(ctx, 5*time.Second); err != nil {
			return err
		}
		from, err := cpuTime(e.daemon.Process.Pid)
		if err != nil {
			return err
		}
		if err := pause(ctx, cpuLength); err != nil {
			return err
		}
		to, err := cpuTime(e.daemon.Process.Pid)
		if err != nil {
			return err
		}
		cost[i] = 100 * float64(to-from) / float64(cpuLength)
		for _, id := range ids {
			e.removed(id)
		}
	}
	each := max(cost[1]-cost[0], 0) / controlled
	return e.record(figure{Name: "cpu.controller", Value: 10 * each, Unit: "% of a core", N: controlled, About: "ten burst instances beside ten shared"}, atMost(.1))
}

// cpuThousand measures a second's work of the controller for a thousand burst
// instances, whose readings are simulated: a benchmark beside its code.
func (e *env) cpuThousand(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^BenchmarkTick1000$", "-benchtime", "2s", "./internal/cpu").CombinedOutput()
	if err != nil {
		return fmt.Errorf("benchmark of the controller: %w: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) >= 4 && strings.HasPrefix(f[0], "BenchmarkTick1000") && f[3] == "ns/op" {
			ns, err := strconv.ParseFloat(f[2], 64)
			if err != nil {
				return err
			}
			return e.record(figure{Name: "cpu.controller-1000", Value: 100 * ns / 1e9, Unit: "% of a core", N: 1000, About: "simulated readings"}, atMost(2))
		}
	}
	return fmt.Errorf("the benchmark of the controller printed no figure: %s", out)
}

func (e *env) cpuQuota(ctx context.Context) error {
	s := spec("/bin/sh", "-c", spin)
	s.Spec.Resources.CPUs = .5
	in, err := e.client.Create(ctx, s, true)
	if err != nil {
		return err
	}
	defer e.removed(in.ID)
	used, err := e.uses(ctx, cpuLength, in.ID)
	if err != nil {
		return err
	}
	return e.record(figure{Name: "cpu.quota", Value: deviation(used[0], .5), Unit: "% off", About: "a quota of 0.5 on an idle machine"}, atMost(1))
}

// cpuShares lets two instances of weights 1 and 3 fight for one core.
func (e *env) cpuShares(ctx context.Context) error {
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
	used, err := e.uses(ctx, cpuLength, ids...)
	if err != nil {
		return err
	}
	off := math.Abs(100*used[0]/(used[0]+used[1]) - 25)
	return e.record(figure{Name: "cpu.shares", Value: off, Unit: "points off", About: "25 : 75 on one core"}, atMost(2))
}

// cpuAlone gives the machine to one instance of a small weight.
func (e *env) cpuAlone(ctx context.Context) error {
	s := spec("/bin/sh", "-c", spinTwo)
	s.Spec.Resources.CPUShares = 1024
	in, err := e.client.Create(ctx, s, true)
	if err != nil {
		return err
	}
	defer e.removed(in.ID)
	used, err := e.uses(ctx, cpuLength, in.ID)
	if err != nil {
		return err
	}
	return e.record(figure{Name: "cpu.alone", Value: 100 * used[0] / 2, Unit: "% of two cores", About: "weight 1024, nobody else"}, atLeast(98))
}

// uses measures how many vCPUs instances use over a time.
func (e *env) uses(ctx context.Context, length time.Duration, ids ...string) ([]float64, error) {
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
	if err := pause(ctx, length); err != nil {
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
