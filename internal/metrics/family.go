package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/virga-cloud/virga/api"
)

// family is one metric with all its label values.
type family struct {
	name, help string
	kind       prometheus.ValueType
	labels     []string // beside those of all instances, or of the node
	desc       *prometheus.Desc
}

const (
	counter = prometheus.CounterValue
	gauge   = prometheus.GaugeValue
)

// instanceLabels are on every metric of an instance.
var instanceLabels = []string{"id", "name", "project"}

func (f family) described(common ...string) family {
	f.desc = prometheus.NewDesc(f.name, f.help, append(common, f.labels...), nil)
	return f
}

// reading is a metric of a running instance that is one number of its Stats.
type reading struct {
	family
	value func(api.Stats) (float64, bool) // false where there is none
}

func read(name, help string, kind prometheus.ValueType, value func(api.Stats) float64) reading {
	return reading{
		family{name: "virga_instance_" + name, help: help, kind: kind}.described(instanceLabels...),
		func(s api.Stats) (float64, bool) { return value(s), true },
	}
}

// limit is a reading that is absent where there is no limit.
func limit(name, help string, value func(api.Stats) float64) reading {
	r := read(name, help, gauge, value)
	r.value = func(s api.Stats) (float64, bool) { v := value(s); return v, v > 0 }
	return r
}

// readings are all that a running instance's Stats say.
func readings() []reading {
	return []reading{
		read("cpu_usage_seconds_total", "CPU time used", counter, func(s api.Stats) float64 { return s.CPU.Usage.Seconds() }),
		read("cpu_user_seconds_total", "CPU time used outside the kernel", counter, func(s api.Stats) float64 { return s.CPU.User.Seconds() }),
		read("cpu_system_seconds_total", "CPU time used in the kernel", counter, func(s api.Stats) float64 { return s.CPU.System.Seconds() }),
		read("cpu_periods_total", "Periods in which its quota was counted", counter, func(s api.Stats) float64 { return float64(s.CPU.Periods) }),
		read("cpu_throttled_periods_total", "Periods in which its quota held it back", counter, func(s api.Stats) float64 { return float64(s.CPU.Throttled) }),
		read("cpu_throttled_seconds_total", "Time in which its quota held it back", counter, func(s api.Stats) float64 { return s.CPU.ThrottledTime.Seconds() }),
		limit("cpu_limit_vcpus", "Quota in vCPUs; absent without one", func(s api.Stats) float64 { return s.CPU.Limit }),
		read("memory_usage_bytes", "Memory in use, without the page cache that can be dropped", gauge, func(s api.Stats) float64 { return float64(s.Memory.Usage) }),
		read("memory_cache_bytes", "Page cache", gauge, func(s api.Stats) float64 { return float64(s.Memory.Cache) }),
		read("memory_peak_bytes", "Most memory ever in use, page cache included", gauge, func(s api.Stats) float64 { return float64(s.Memory.Max) }),
		limit("memory_limit_bytes", "Memory limit; absent without one", func(s api.Stats) float64 { return float64(s.Memory.Limit) }),
		read("memory_oom_kills_total", "Processes killed because of the memory limit", counter, func(s api.Stats) float64 { return float64(s.Memory.OOMKills) }),
		read("tasks", "Processes and threads", gauge, func(s api.Stats) float64 { return float64(s.Pids.Current) }),
		limit("tasks_limit", "Most processes and threads; absent without a limit", func(s api.Stats) float64 { return float64(s.Pids.Limit) }),
		read("network_receive_bytes_total", "Bytes received", counter, func(s api.Stats) float64 { return float64(s.Network.RxBytes) }),
		read("network_transmit_bytes_total", "Bytes sent", counter, func(s api.Stats) float64 { return float64(s.Network.TxBytes) }),
		read("network_receive_packets_total", "Packets received", counter, func(s api.Stats) float64 { return float64(s.Network.RxPackets) }),
		read("network_transmit_packets_total", "Packets sent", counter, func(s api.Stats) float64 { return float64(s.Network.TxPackets) }),
		read("network_receive_dropped_total", "Received packets that were dropped", counter, func(s api.Stats) float64 { return float64(s.Network.RxDropped) }),
		read("network_spoofed_total", "Sent packets that pretended to be somebody else's and were dropped", counter, func(s api.Stats) float64 { return float64(s.Network.Spoofed) }),
		read("network_transmit_dropped_total", "Sent packets that were dropped", counter, func(s api.Stats) float64 { return float64(s.Network.TxDropped) }),
		read("block_read_bytes_total", "Bytes read from disks", counter, func(s api.Stats) float64 { return float64(s.BlockIO.ReadBytes) }),
		read("block_written_bytes_total", "Bytes written to disks", counter, func(s api.Stats) float64 { return float64(s.BlockIO.WriteBytes) }),
		read("block_reads_total", "Read operations", counter, func(s api.Stats) float64 { return float64(s.BlockIO.ReadOps) }),
		limit("disk_size_bytes", "What the writable layer may hold; absent without a size", func(s api.Stats) float64 { return float64(disk(s).Size) }),
		limit("disk_used_bytes", "What the writable layer holds; absent without a size", func(s api.Stats) float64 { return float64(disk(s).Used) }),
		read("block_writes_total", "Write operations", counter, func(s api.Stats) float64 { return float64(s.BlockIO.WriteOps) }),
	}
}

// disk is the use of a writable layer with a size, zero without one.
func disk(s api.Stats) api.DiskUsage {
	if s.Disk == nil {
		return api.DiskUsage{}
	}
	return *s.Disk
}
