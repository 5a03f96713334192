package node

import (
	"context"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/linux/host"
)

// Reserve is what a node keeps for the system and for virga itself.
const (
	reserveMemory = 256 << 20 // bytes
	reserveShare  = 20        // and one part in so many of the memory
	reserveDisk   = 1 << 30   // bytes
)

// Info describes the node: what it has and what may be given out. What is
// given out is the control plane's to say.
func (a *Agent) Info(ctx context.Context) (api.Node, error) {
	h, err := host.Read(a.DataDir)
	if err != nil {
		return api.Node{}, err
	}
	n := api.Node{
		Name: a.Name, Version: a.Version, Kernel: h.Kernel, Arch: h.Arch, Started: a.started,
		Features: a.Features(), Labels: a.Labels, Cgroup: h.Cgroup, DataDir: a.DataDir,
		Instances: map[api.Phase]int{},
	}
	n.Capacity = capacity(h, a.Reserve)
	for _, in := range a.Store.Instances.Views() {
		if in.Node == a.Name {
			n.Instances[in.Status.Phase]++
		}
	}
	return n, nil
}

// capacity is the arithmetic of what a node can promise.
func capacity(h host.Host, reserve api.Amount) api.Capacity {
	if reserve.Memory == 0 {
		reserve.Memory = reserveMemory + h.Memory/reserveShare
	}
	c := api.Capacity{
		Physical: api.Amount{VCPUs: float64(h.CPUs), Memory: h.Memory, Disk: h.Disk},
		Reserved: api.Amount{
			VCPUs:  min(float64(h.CPUs), reserve.VCPUs),
			Memory: min(h.Memory, reserve.Memory),
			Disk:   min(h.Disk, reserveDisk),
		},
		Used: api.Amount{VCPUs: min(h.Load, float64(h.CPUs)), Memory: h.MemoryUsed, Disk: h.DiskUsed},
	}
	c.Allocatable = api.Amount{
		VCPUs:  c.Physical.VCPUs - c.Reserved.VCPUs,
		Memory: c.Physical.Memory - c.Reserved.Memory,
		Disk:   c.Physical.Disk - c.Reserved.Disk,
	}
	return c
}
