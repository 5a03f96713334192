package metrics

import (
	"strings"
	"testing"

	"github.com/virga-cloud/virga/api"
)

type withVolumes struct{ fakeSource }

func (withVolumes) Volumes(int) []api.Volume {
	meta := func(id string) api.Meta { return api.Meta{ID: id, Name: id + "-name", Project: "default"} }
	return []api.Volume{
		{Meta: meta("v1"), Node: "n1", Size: 64, Access: api.AccessExclusive, Usage: &api.DiskUsage{Size: 60, Used: 7, Allocated: 9}},
		{Meta: meta("v2"), Node: "n1", Size: 32}, {Meta: meta("v3"), Node: "n1"},
	}
}

func TestScrapeOfVolumes(t *testing.T) {
	got := scrape(t, withVolumes{})
	for _, want := range []string{
		`virga_volume_info{access="exclusive",id="v1",name="v1-name",node="n1",project="default"} 1`,
		`virga_volume_size_bytes{id="v1",name="v1-name",project="default"} 64`,
		`virga_volume_used_bytes{id="v1",name="v1-name",project="default"} 7`,
		`virga_volume_allocated_bytes{id="v1",name="v1-name",project="default"} 9`,
		`virga_volume_size_bytes{id="v2",name="v2-name",project="default"} 32`,
		`virga_volume_info{access="shared",id="v3",name="v3-name",node="n1",project="default"} 1`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %s", want)
		}
	}
	for _, not := range []string{`virga_volume_used_bytes{id="v2"`, `virga_volume_size_bytes{id="v3"`} {
		if strings.Contains(got, not) {
			t.Errorf("has %s", not)
		}
	}
}
