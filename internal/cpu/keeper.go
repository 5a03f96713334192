package cpu

import (
	"errors"
	"log/slog"
	"maps"
	"time"

	"github.com/virga-cloud/virga/internal/linux/alarm"
	"github.com/virga-cloud/virga/internal/linux/cgroup"
	"github.com/virga-cloud/virga/internal/linux/host"
)

// Turns holds groups to their quotas within each period, where the kernel by
// itself would let them run on until its next tick.
type Turns interface {
	// Keep says which groups those are, by instance, and how many vCPUs each
	// has. Groups that are not in it any more are left alone. It is to be
	// called every second or so: threads move from one CPU to another.
	Keep(vcpus map[string]float64)
	Close() error
}

// NoTurns leaves everything to the kernel.
type NoTurns struct{}

// Keep implements Turns.
func (NoTurns) Keep(map[string]float64) {}

// Close implements Turns.
func (NoTurns) Close() error { return nil }

// Keeper is the Turns of a machine whose tick is long. It makes the kernel look
// at a group twice in the time in which it spends a quota, on each CPU where it
// runs: it overdraws a quota by half of it at most, which is less than the next
// one. It is not safe for concurrent use.
type Keeper struct {
	root *cgroup.Root
	tick time.Duration
	log  *slog.Logger

	alarms map[int]*alarm.Alarm     // by CPU
	groups map[string]map[int]*kept // by instance, then CPU
	broken bool                     // and that was logged
}

// kept is a group on a CPU.
type kept struct {
	group alarm.Group
	away  int // calls of Keep since it was last found there
}

// stay is for how many calls of Keep a CPU is watched that a group has left: it
// may come back, and until then it costs nothing.
const stay = 10

// NewKeeper makes a keeper of groups below root.
func NewKeeper(root *cgroup.Root, log *slog.Logger) (*Keeper, error) {
	tick, err := host.Tick()
	if err != nil {
		return nil, err
	}
	return &Keeper{
		root: root, tick: tick, log: log,
		alarms: map[int]*alarm.Alarm{}, groups: map[string]map[int]*kept{},
	}, nil
}

// Keep implements Turns.
func (k *Keeper) Keep(vcpus map[string]float64) {
	if len(vcpus)+len(k.groups) == 0 {
		return
	}
	maps.DeleteFunc(k.groups, func(id string, _ map[int]*kept) bool { return !needs(vcpus[id], k.tick) })
	var errs []error
	for id, v := range vcpus {
		if !needs(v, k.tick) {
			continue
		}
		cpus, err := k.root.Group(id).Busy()
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if k.groups[id] == nil {
			k.groups[id] = map[int]*kept{}
		}
		on := k.groups[id]
		maps.DeleteFunc(on, func(_ int, g *kept) bool { g.away++; return g.away > stay })
		for _, cpu := range cpus {
			on[cpu] = &kept{group: alarm.Group{Dir: k.root.Group(id).Unified(), Every: lookEvery(v)}}
		}
	}
	errs = append(errs, k.set())
	err := errors.Join(errs...)
	if err != nil && !k.broken {
		k.log.Warn("instances at their baseline may stand still for longer", "error", err)
	}
	k.broken = err != nil
}

// set brings the alarms to what the groups need.
func (k *Keeper) set() error {
	each := map[int][]alarm.Group{}
	for _, cpus := range k.groups {
		for cpu, g := range cpus {
			each[cpu] = append(each[cpu], g.group)
		}
	}
	var errs []error
	for cpu, groups := range each {
		a := k.alarms[cpu]
		if a == nil {
			var err error
			if a, err = alarm.New(cpu); err != nil {
				errs = append(errs, err)
				continue
			}
			k.alarms[cpu] = a
		}
		errs = append(errs, a.Set(groups))
	}
	for cpu, a := range k.alarms {
		if each[cpu] == nil {
			errs = append(errs, a.Close())
			delete(k.alarms, cpu)
		}
	}
	return errors.Join(errs...)
}

// Close implements Turns: every group is left to the kernel.
func (k *Keeper) Close() error {
	clear(k.groups)
	return k.set()
}

// needs reports whether a tick is too long for a quota. One that is half as
// long as the quota costs a period now and then, and no more.
func needs(vcpus float64, tick time.Duration) bool {
	if vcpus <= 0 {
		return false
	}
	quota, _ := cgroup.Turn(vcpus)
	return quota < 2*tick
}

// lookEvery is how long a group may run unseen: half of its quota, so that
// what it overdraws is less than what it gets next.
func lookEvery(vcpus float64) time.Duration {
	quota, _ := cgroup.Turn(vcpus)
	return quota / 2
}
