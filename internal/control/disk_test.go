package control

import (
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/virga-cloud/virga/api"
)

// withDisk is a node with so much disk to give.
func withDisk(disk int64, overcommit float64) Supply {
	s := machine(4, 8*gib, 1)
	s.Capacity.Physical.Disk, s.Capacity.Allocatable.Disk = disk, disk
	s.DiskOvercommit = overcommit
	return s
}

func diskOf(size int64) Creation {
	return Creation{Project: "default", CreateRequest: api.CreateRequest{
		Spec: api.InstanceSpec{Image: "i", Resources: api.Resources{Disk: size}},
	}}
}

func storeVolume(t *testing.T, a *Admission, id string, size int64) {
	t.Helper()
	v := &api.Volume{Meta: api.Meta{ID: id, Name: id, Project: "default"}, Node: "n1", Size: size}
	if err := a.Store.Volumes.Create(t.Context(), v); err != nil {
		t.Fatal(err)
	}
}

// Sizes of volumes and of layers, of stopped instances too, are never promised
// twice.
func TestDiskIsPromisedOnce(t *testing.T) {
	a := admission(t, withDisk(10*gib, 0))
	storeVolume(t, a, "v1", 4*gib)
	in, err := a.Create(t.Context(), diskOf(5*gib)) // it is not started
	if err != nil {
		t.Fatal(err)
	}
	c := a.Capacity(api.Amount{})
	if c.Disk.Layers != 5*gib || c.Disk.Volumes != 4*gib || c.Allocated.Disk != 9*gib || c.Free.Disk != gib || c.Disk.Overcommit != 1 {
		t.Errorf("capacity %+v, allocated %d, free %d", c.Disk, c.Allocated.Disk, c.Free.Disk)
	}
	_, err = a.Create(t.Context(), diskOf(2*gib))
	if api.CodeOf(err) != api.CodeInsufficientCapacity || !strings.HasPrefix(err.Error(), "disk: 2 GiB asked, 1 GiB free of 10 GiB allocatable at an over-commit of 1") {
		t.Errorf("more than there is: %v", err)
	}
	// What is there starts, and grows by what is free.
	if _, _, err := a.Start(t.Context(), in.ID); err != nil {
		t.Error(err)
	}
	if _, err := a.Apply(t.Context(), in.ID, a.Resize(api.ResizeRequest{Disk: 7 * gib})); api.CodeOf(err) != api.CodeInsufficientCapacity {
		t.Errorf("grown beyond what there is: %v", err)
	}
	if _, err := a.Apply(t.Context(), in.ID, a.Resize(api.ResizeRequest{Disk: 6 * gib})); err != nil {
		t.Error(err)
	}
	if _, err := a.ReserveDisk("v1", "size", 5*gib); api.CodeOf(err) != api.CodeInsufficientCapacity {
		t.Errorf("a volume grown beyond what there is: %v", err)
	}
	if _, err := a.ReserveDisk("new", "size", math.MaxInt64); api.CodeOf(err) != api.CodeInsufficientCapacity {
		t.Errorf("all there can be: %v", err)
	}
}

// An operator who lowers the ratio, or a disk that shrank, stops nothing that
// is there.
func TestDiskOvercommit(t *testing.T) {
	a := admission(t, withDisk(10*gib, 2))
	in, err := a.Create(t.Context(), diskOf(18*gib))
	if err != nil {
		t.Fatal(err)
	}
	a.Supply.DiskOvercommit = 1
	if _, _, err := a.Start(t.Context(), in.ID); err != nil {
		t.Error(err)
	}
	if c := a.Capacity(api.Amount{}); c.Free.Disk != 0 {
		t.Errorf("free: %d", c.Free.Disk)
	}
	if release, err := a.ReserveDisk("v", "size", 0); err != nil {
		t.Errorf("no size: %v", err)
	} else {
		release()
	}
}

// Requests at the same time get no more than there is.
func TestDiskOfMany(t *testing.T) {
	a := admission(t, withDisk(10*gib, 1))
	var got atomic.Int64
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			var err error
			if i%2 == 0 {
				_, err = a.Create(t.Context(), diskOf(gib))
			} else {
				id := NewID()
				var release func()
				if release, err = a.ReserveDisk(id, "size", gib); err == nil {
					err = a.Store.Volumes.Create(t.Context(), &api.Volume{Meta: api.Meta{ID: id, Name: id, Project: "default"}, Node: "n1", Size: gib})
					release()
				}
			}
			switch {
			case err == nil:
				got.Add(1)
			case api.CodeOf(err) != api.CodeInsufficientCapacity:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if c := a.Capacity(api.Amount{}); got.Load() != 10 || c.Allocated.Disk != 10*gib {
		t.Errorf("%d got 1 GiB each, %d allocated of 10 GiB", got.Load(), c.Allocated.Disk)
	}
}
