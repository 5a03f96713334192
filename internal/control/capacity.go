package control

import (
	"math"

	"github.com/virga-cloud/virga/api"
)

// Supply is what a node can give out.
type Supply struct {
	Node string
	// Capacity has what is physical, reserved and allocatable; a resource of
	// which nothing is allocatable is not enforced.
	Capacity api.Capacity
	// Overcommit is how many vCPUs are given out for each one in the shared
	// pool; 0 is 1.
	Overcommit float64
	// DiskOvercommit is how many bytes of disk are promised for each one there
	// is; less than 1 is 1.
	DiskOvercommit float64
	// ThreadsPerCore is what a dedicated vCPU is rounded up to; 0 is 1.
	ThreadsPerCore int
}

// claim is what one instance takes of a node.
type claim struct {
	class    api.Family
	vcpus    float64 // of a dedicated one: whole cores
	baseline float64
	memory   int64
}

// claimOf is what an instance takes while it holds its resources.
func (s Supply) claimOf(in *api.Instance) claim {
	t := in.Type
	if t == nil || t.Family == api.FamilyCustom {
		r := in.Spec.Resources
		return claim{class: api.FamilyCustom, vcpus: r.CPUs, memory: r.Memory}
	}
	return s.claimOfType(*t)
}

// Promised is what an instance has of the node while it runs, whatever the
// others do: of a burst one its baseline.
func (s Supply) Promised(in *api.Instance) (vcpus float64, memory int64) {
	c := s.claimOf(in)
	if c.class == api.FamilyBurst {
		return c.baseline, c.memory
	}
	return c.vcpus, c.memory
}

func (s Supply) claimOfType(t api.InstanceType) claim {
	c := claim{class: t.Family, vcpus: t.VCPUs, memory: t.Memory}
	switch t.Family {
	case api.FamilyBurst:
		c.baseline = t.VCPUs * t.Baseline
	case api.FamilyDedicated:
		core := float64(max(s.ThreadsPerCore, 1))
		c.vcpus = math.Ceil(t.VCPUs/core) * core
	}
	return c
}

// ledger adds up claims on one node. It is a value without a clock and I/O.
type ledger struct {
	Supply
	classes map[api.Family]api.ClassCapacity
	spot    int // spot instances that were seen
}

func newLedger(s Supply) *ledger {
	return &ledger{Supply: s, classes: map[api.Family]api.ClassCapacity{}}
}

func (l *ledger) add(c claim) {
	sum := l.classes[c.class]
	sum.Instances++
	sum.VCPUs += c.vcpus
	sum.Baseline += c.baseline
	sum.Memory += c.memory
	if c.memory == 0 {
		sum.Unlimited++
	}
	l.classes[c.class] = sum
}

// sold are the vCPUs that the shared pool has given out, baseline what it must
// be able to give at once to burst instances that have nothing left.
func (l *ledger) sold() (vcpus, baseline float64) {
	for class, sum := range l.classes {
		if class != api.FamilyDedicated {
			vcpus += sum.VCPUs
		}
		baseline += sum.Baseline
	}
	return vcpus, baseline
}

func (l *ledger) memory() (sum int64) {
	for _, c := range l.classes {
		sum += c.Memory
	}
	return sum
}

// free is what may still be asked for. A dedicated core is free only if the
// rest of the pool still holds what it has sold, and the system's last core
// never is.
func (l *ledger) free() api.FreeCapacity {
	all := l.Capacity.Allocatable
	sold, baseline := l.sold()
	dedicated := l.classes[api.FamilyDedicated].VCPUs
	pool := all.VCPUs - dedicated
	core := float64(max(l.ThreadsPerCore, 1))
	cores := min(pool-max(sold/l.overcommit(), baseline), l.Capacity.Physical.VCPUs-core-dedicated)
	return api.FreeCapacity{
		Dedicated: max(math.Floor(cores/core+epsilon)*core, 0),
		Shared:    max(tidy(pool*l.overcommit()-sold), 0),
		Baseline:  max(tidy(pool-baseline), 0),
		Memory:    max(all.Memory-l.memory(), 0),
	}
}

// epsilon is what sums of vCPUs may be off by.
const epsilon = 1e-9

func tidy(v float64) float64 { return math.Round(v*1e6) / 1e6 }

// lacks says which resource is short for c, or nil. The error has no hint.
func (l *ledger) lacks(c claim) *api.Error {
	free, all := l.free(), l.Capacity
	short := func(field, format string, args ...any) *api.Error {
		return api.Errorf(api.CodeInsufficientCapacity, format+" on node %s", append(args, l.Node)...).InField(field)
	}
	if all.Physical.VCPUs > 0 && c.vcpus > all.Physical.VCPUs+epsilon {
		return short("spec.resources.cpus", "vCPUs: %.4g asked, the machine has %.4g", c.vcpus, all.Physical.VCPUs)
	}
	if all.Allocatable.VCPUs > 0 {
		switch {
		case c.class == api.FamilyDedicated && c.vcpus > free.Dedicated+epsilon:
			return short("spec.type", "dedicated vCPUs: %.4g asked, %.4g free of %.4g allocatable", c.vcpus, free.Dedicated, all.Allocatable.VCPUs)
		case c.class == api.FamilyDedicated:
		case c.vcpus > free.Shared+epsilon:
			return short("spec.resources.cpus", "shared vCPUs: %.4g asked, %.4g free at an over-commit of %.4g", c.vcpus, free.Shared, l.overcommit())
		case c.baseline > free.Baseline+epsilon:
			return short("spec.type", "baseline vCPUs: %.4g asked, %.4g free", c.baseline, free.Baseline)
		}
	}
	if all.Allocatable.Memory > 0 && c.memory > free.Memory {
		return short("spec.resources.memory", "memory: %s asked, %s free of %s allocatable",
			api.FormatBytes(c.memory), api.FormatBytes(free.Memory), api.FormatBytes(all.Allocatable.Memory))
	}
	return nil
}

// fits is the largest of the types that there is room for: of that family
// where one is, else of any.
func (l *ledger) fits(types []api.InstanceType, family api.Family) (api.InstanceType, bool) {
	var best api.InstanceType
	for _, t := range types {
		if l.lacks(l.claimOfType(t)) != nil {
			continue
		}
		mine := t.Family == family
		if best.Name == "" || mine && best.Family != family || mine == (best.Family == family) && larger(t, best) {
			best = t
		}
	}
	return best, best.Name != ""
}

func larger(a, b api.InstanceType) bool {
	if a.Memory != b.Memory {
		return a.Memory > b.Memory
	}
	return a.VCPUs > b.VCPUs
}

// report is the ledger as it is shown.
func (l *ledger) report() api.NodeCapacity {
	r := api.NodeCapacity{
		Node: l.Node, Capacity: l.Capacity, Overcommit: l.overcommit(), ThreadsPerCore: max(l.ThreadsPerCore, 1),
		Free: l.free(), Classes: []api.ClassCapacity{},
	}
	r.Allocated = api.Amount{}
	for _, class := range []api.Family{api.FamilyBurst, api.FamilyShared, api.FamilyDedicated, api.FamilyCustom} {
		sum := l.classes[class]
		sum.Class = class
		sum.VCPUs, sum.Baseline = tidy(sum.VCPUs), tidy(sum.Baseline)
		r.Classes = append(r.Classes, sum)
		r.Allocated.VCPUs = tidy(r.Allocated.VCPUs + sum.VCPUs)
		r.Allocated.Memory += sum.Memory
	}
	return r
}
