package control

import (
	"math"

	"github.com/virga-cloud/virga/api"
)

// Disk is promised by size: that of each volume, and that of each instance's
// writable layer, which it keeps whether it runs or not. What has no size
// counts nothing and lives on what is left.

// diskPromise is a size that was let in and is about to be stored.
type diskPromise struct {
	id   string // of the volume or instance
	size int64
}

// ReserveDisk checks that a volume or an instance, new or stored, can have a
// disk of that size, and keeps it from others until release is called, when
// the store knows of it. What is stored already and does not grow is let in.
// field is where the size was asked.
func (a *Admission) ReserveDisk(id, field string, size int64) (release func(), err error) {
	if size == 0 {
		return func() {}, nil
	}
	p := &a.promises
	p.mu.Lock()
	defer p.mu.Unlock()
	layers, volumes, has := a.disks(id)
	if all := a.Supply.Capacity.Allocatable.Disk; all > 0 && size > has {
		free := a.Supply.freeDisk(layers + volumes)
		if size > free {
			return nil, api.Errorf(api.CodeInsufficientCapacity, "disk: %s asked, %s free of %s allocatable at an over-commit of %.4g on node %s",
				api.FormatBytes(size), api.FormatBytes(free), api.FormatBytes(all), a.Supply.diskOvercommit(), a.Node).InField(field).
				WithHint("ask for less, remove volumes or instances, or raise the setting disk-overcommit; virga capacity shows the arithmetic")
		}
	}
	if p.disks == nil {
		p.disks = map[int64]diskPromise{}
	}
	p.last++
	ticket := p.last
	p.disks[ticket] = diskPromise{id, size}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.disks, ticket)
	}, nil
}

// disks adds up what is stored and promised but for one volume or instance,
// and says what that one has.
//
// +checklocks:a.promises.mu
func (a *Admission) disks(except string) (layers, volumes, has int64) {
	promised := map[string]int64{}
	for _, p := range a.promises.disks {
		promised[p.id] = max(promised[p.id], p.size)
	}
	count := func(sum *int64, id string, size int64) {
		size = max(size, promised[id])
		delete(promised, id)
		if id == except {
			has = size
			return
		}
		*sum = plus(*sum, size)
	}
	for _, in := range a.Store.Instances.Views() {
		if in.Node == a.Node {
			count(&layers, in.ID, in.Limits().Disk)
		}
	}
	for _, v := range a.Store.Volumes.Views() {
		if v.Node == a.Node {
			count(&volumes, v.ID, v.Size)
		}
	}
	for id, size := range promised {
		if id != except {
			volumes = plus(volumes, size)
		}
	}
	return layers, volumes, has
}

// plus adds sizes, of which there may be absurd ones.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

func (s Supply) diskOvercommit() float64 { return max(s.DiskOvercommit, 1) }

// freeDisk is what may still be promised beside what is.
func (s Supply) freeDisk(promised int64) int64 {
	all := float64(s.Capacity.Allocatable.Disk) * s.diskOvercommit()
	if all >= math.MaxInt64 {
		return math.MaxInt64 - promised
	}
	return max(int64(all)-promised, 0)
}
