package cpu

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/virga-cloud/virga/internal/linux/alarm"
	"github.com/virga-cloud/virga/internal/linux/cgroup"
	"github.com/virga-cloud/virga/internal/linux/host"
)

// Turns holds groups to their quotas within each period, where the kernel by
// itself would let them run on until its next tick.
type Turns interface {
	// Keep says which quotas there are, in vCPUs by instance, and the CPUs on
	// which those instances may run. Groups that are not in it any more are
	// left alone. It is to be called every second or so.
	Keep(vcpus map[string]float64, cpus []int)
	Close() error
}

// NoTurns leaves everything to the kernel.
type NoTurns struct{}

// Keep implements Turns.
func (NoTurns) Keep(map[string]float64, []int) {}

// Close implements Turns.
func (NoTurns) Close() error { return nil }

// Keeper is the Turns of a machine whose tick is long. On each CPU it makes the
// kernel look at a group before it has spent a quota: it overdraws one by less
// than what it gets next. It is not safe for concurrent use.
type Keeper struct {
	root *cgroup.Root
	tick time.Duration
	log  *slog.Logger

	alarms map[int]*alarm.Alarm // by CPU; nil where none can be had
	groups map[string]alarm.Group
	broken bool // and that was logged
}

// stall is for how long a group with a quota may stand still at a time, if it
// is one that lasts for the shortest period.
const stall = 20 * time.Millisecond

// maxCounters bounds what the kernel keeps for alarms: each counter takes a
// file and less than 2 KiB of its memory.
const maxCounters = 4096

// NewKeeper makes a keeper of groups below root.
func NewKeeper(root *cgroup.Root, log *slog.Logger) (*Keeper, error) {
	tick, err := host.Tick()
	if err != nil {
		return nil, err
	}
	return &Keeper{root: root, tick: tick, log: log, alarms: map[int]*alarm.Alarm{}, groups: map[string]alarm.Group{}}, nil
}

// Keep implements Turns.
func (k *Keeper) Keep(vcpus map[string]float64, cpus []int) {
	maps.DeleteFunc(vcpus, func(_ string, v float64) bool { return !needs(v, k.tick) })
	if len(vcpus)+len(k.groups) == 0 {
		return
	}
	var errs []error
	if most := maxCounters / max(len(cpus), 1); len(vcpus) > most {
		errs = append(errs, fmt.Errorf("%d of them are left to the kernel's tick", len(vcpus)-most))
		for _, id := range slices.Sorted(maps.Keys(vcpus))[most:] {
			delete(vcpus, id)
		}
	}
	before := k.groups
	k.groups = map[string]alarm.Group{}
	for id, v := range vcpus {
		g := k.root.Group(id)
		number, err := g.ID()
		if err != nil {
			if !cgroup.Gone(err) {
				errs = append(errs, err)
			}
			continue
		}
		k.groups[id] = alarm.Group{Dir: g.Unified(), ID: number, Every: lookEvery(v, before[id].Every)}
	}
	errs = append(errs, k.set(cpus))
	err := errors.Join(errs...)
	if err != nil && !k.broken {
		k.log.Warn("instances with small CPU quotas may stand still for longer", "error", err)
	}
	k.broken = err != nil
}

// set brings the alarms to what the groups need.
func (k *Keeper) set(cpus []int) error {
	groups := slices.Collect(maps.Values(k.groups))
	if len(groups) == 0 {
		cpus = nil
	}
	var errs []error
	for cpu, a := range k.alarms {
		if slices.Contains(cpus, cpu) {
			continue
		}
		if a != nil {
			errs = append(errs, a.Close())
		}
		delete(k.alarms, cpu)
	}
	for _, cpu := range cpus {
		a, tried := k.alarms[cpu]
		if !tried {
			var err error
			a, err = alarm.New(cpu)
			errs, k.alarms[cpu] = append(errs, err), a
		}
		if a == nil {
			continue
		}
		// One that has ended meanwhile needs nothing.
		if err := a.Set(groups); !cgroup.Gone(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Close implements Turns: every group is left to the kernel.
func (k *Keeper) Close() error {
	clear(k.groups)
	return k.set(nil)
}

// needs reports whether a tick is too long for a quota. A busy thread that is
// noticed at ticks only runs for up to a tick too long, and stands still until
// that is made good.
func needs(vcpus float64, tick time.Duration) bool {
	if vcpus <= 0 || vcpus >= 1 {
		return false
	}
	turn, of := cgroup.Turn(vcpus)
	rest := float64(of-turn) / float64(turn) // of each time it has run
	return rest*float64(turn+tick) > float64(stall)
}

// lookEvery is how long a group may run unseen: three quarters of its quota, so
// that what it overdraws is less than what it gets next. A small change of the
// quota changes nothing: before is what it was, or 0.
func lookEvery(vcpus float64, before time.Duration) time.Duration {
	turn, _ := cgroup.Turn(vcpus)
	if before >= turn/2 && before <= turn*4/5 {
		return before
	}
	return turn * 3 / 4
}
