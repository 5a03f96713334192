package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/virga-cloud/virga/api"
)

// VolumeSource is a Source that knows of volumes too.
type VolumeSource interface {
	// Volumes are at most so many, each with its usage where that can be read
	// at once: of those with a size.
	Volumes(most int) []api.Volume
}

// maxVolumes is how many volumes a scrape shows at most.
const maxVolumes = 2000

var volumeLabels = []string{"id", "name", "project"}

// volumeCollector reads the volumes at each scrape.
type volumeCollector struct {
	VolumeSource
	info, size, used, allocated family
}

func newVolumeCollector(s VolumeSource) *volumeCollector {
	make := func(name, help string, labels ...string) family {
		return family{name: "virga_volume_" + name, help: help, kind: gauge, labels: labels}.described(volumeLabels...)
	}
	return &volumeCollector{
		VolumeSource: s,
		info:         make("info", "1; on which node it is and who may mount it", "node", "access"),
		size:         make("size_bytes", "What it may hold; absent without a size"),
		used:         make("used_bytes", "What it holds; absent without a size"),
		allocated:    make("allocated_bytes", "What it takes of the node; absent without a size"),
	}
}

func (c *volumeCollector) families() []family { return []family{c.info, c.size, c.used, c.allocated} }

// Describe implements prometheus.Collector.
func (c *volumeCollector) Describe(out chan<- *prometheus.Desc) {
	for _, f := range c.families() {
		out <- f.desc
	}
}

// Collect implements prometheus.Collector.
func (c *volumeCollector) Collect(out chan<- prometheus.Metric) {
	for _, v := range c.Volumes(maxVolumes) {
		send := func(f family, value float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(f.desc, f.kind, value, append([]string{v.ID, v.Name, v.Project}, labels...)...)
		}
		access := v.Access
		if access == "" {
			access = api.AccessShared
		}
		send(c.info, 1, v.Node, string(access))
		if v.Size == 0 {
			continue
		}
		send(c.size, float64(v.Size))
		if v.Usage != nil {
			send(c.used, float64(v.Usage.Used))
			send(c.allocated, float64(v.Usage.Allocated))
		}
	}
}
