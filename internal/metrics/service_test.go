package metrics

import (
	"strings"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

type withServices struct{ fakeSource }

func (withServices) Services() []api.Service {
	return []api.Service{{Meta: api.Meta{ID: "s1", Name: "web", Project: "default"}, Status: api.ServiceStatus{
		Backends: []api.ServiceBackend{{State: api.BackendUp}, {State: api.BackendDown}},
		Traffic: api.ServiceTraffic{Requests: map[string]int64{"2xx": 7, "5xx": 1}, Retries: 2, Total: 3 * time.Second,
			Bucket: []api.LatencyCount{{UpTo: api.Duration(time.Millisecond), Count: 5}, {UpTo: api.Duration(time.Second), Count: 2}, {Count: 1}}},
	}}, {Meta: api.Meta{ID: "s2", Name: "idle", Project: "default"}}}
}

func TestScrapeOfServices(t *testing.T) {
	got := scrape(t, withServices{})
	for _, want := range []string{
		`virga_service_requests_total{class="2xx",id="s1",name="web",project="default"} 7`,
		`virga_service_backends{id="s1",name="web",project="default",state="down"} 1`,
		`virga_service_backends{id="s2",name="idle",project="default",state="up"} 0`,
		`virga_service_retries_total{id="s1",name="web",project="default"} 2`,
		`virga_service_request_seconds_bucket{id="s1",name="web",project="default",le="0.001"} 5`,
		`virga_service_request_seconds_bucket{id="s1",name="web",project="default",le="1"} 7`,
		`virga_service_request_seconds_count{id="s1",name="web",project="default"} 8`,
		`virga_service_request_seconds_sum{id="s1",name="web",project="default"} 3`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %s", want)
		}
	}
}
