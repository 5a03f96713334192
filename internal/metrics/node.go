package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/virga-cloud/virga/api"
)

// nodeFamilies are the metrics of a node's capacity.
type nodeFamilies struct {
	vcpus, memory, disk                              family
	classVCPUs, classBaseline, classMemory, classHas family
	freeVCPUs, freeMemory, freeDisk                  family
	classDisk, overcommit, diskOvercommit            family
}

func newNodeFamilies() nodeFamilies {
	make := func(name, help string, labels ...string) family {
		return family{name: "virga_node_" + name, help: help, kind: gauge, labels: labels}.described("node")
	}
	return nodeFamilies{
		vcpus:          make("vcpus", "vCPUs by state: physical, reserved, allocatable, allocated, used", "state"),
		memory:         make("memory_bytes", "Memory by state", "state"),
		disk:           make("disk_bytes", "Disk of the data directory by state", "state"),
		classVCPUs:     make("allocated_vcpus", "vCPUs given out by class: burst, shared, dedicated, custom", "class"),
		classBaseline:  make("allocated_baseline_vcpus", "vCPUs that the class earns continuously", "class"),
		classMemory:    make("allocated_memory_bytes", "Memory given out by class", "class"),
		classHas:       make("allocated_instances", "Instances that hold resources by class", "class"),
		freeVCPUs:      make("free_vcpus", "vCPUs that may still be asked for: dedicated, shared (over-committed), baseline", "pool"),
		freeMemory:     make("free_memory_bytes", "Memory that may still be asked for"),
		freeDisk:       make("free_disk_bytes", "Disk that may still be promised, over-committed"),
		classDisk:      make("allocated_disk_bytes", "Disk given out to layers and volumes with a size", "to"),
		diskOvercommit: make("disk_overcommit_ratio", "Bytes of disk promised for each one allocatable"),
		overcommit:     make("cpu_overcommit_ratio", "vCPUs given out for each one in the shared pool"),
	}
}

func (n nodeFamilies) all() []family {
	return []family{n.vcpus, n.memory, n.disk, n.classVCPUs, n.classBaseline, n.classMemory, n.classHas, n.freeVCPUs, n.freeMemory, n.freeDisk, n.classDisk, n.overcommit, n.diskOvercommit}
}

func (n nodeFamilies) collect(c api.NodeCapacity, out chan<- prometheus.Metric) {
	send := func(f family, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(f.desc, f.kind, v, append([]string{c.Node}, labels...)...)
	}
	for _, s := range []struct {
		state  string
		amount api.Amount
	}{
		{"physical", c.Physical}, {"reserved", c.Reserved}, {"allocatable", c.Allocatable}, {"allocated", c.Allocated}, {"used", c.Used},
	} {
		send(n.vcpus, s.amount.VCPUs, s.state)
		send(n.memory, float64(s.amount.Memory), s.state)
		send(n.disk, float64(s.amount.Disk), s.state)
	}
	for _, class := range c.Classes {
		name := string(class.Class)
		send(n.classVCPUs, class.VCPUs, name)
		send(n.classBaseline, class.Baseline, name)
		send(n.classMemory, float64(class.Memory), name)
		send(n.classHas, float64(class.Instances), name)
	}
	send(n.freeVCPUs, c.Free.Dedicated, "dedicated")
	send(n.freeVCPUs, c.Free.Shared, "shared")
	send(n.freeVCPUs, c.Free.Baseline, "baseline")
	send(n.freeMemory, float64(c.Free.Memory))
	send(n.freeDisk, float64(c.Free.Disk))
	send(n.classDisk, float64(c.Disk.Layers), "layers")
	send(n.classDisk, float64(c.Disk.Volumes), "volumes")
	send(n.overcommit, c.Overcommit)
	send(n.diskOvercommit, c.Disk.Overcommit)
}
