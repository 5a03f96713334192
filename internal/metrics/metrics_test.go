package metrics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/virga-cloud/virga/api"
)

// fakeSource has fixed instances; those named "gone" have just ended, those
// named "broken" cannot be read.
type fakeSource struct{ instances []*api.Instance }

func (s fakeSource) Instances() []*api.Instance { return s.instances }

func (fakeSource) Capacity(context.Context) (api.NodeCapacity, error) {
	return api.NodeCapacity{Node: "n1", Overcommit: 10, Classes: []api.ClassCapacity{{Class: api.FamilyBurst, Instances: 1, VCPUs: 2, Baseline: .1}},
		Capacity: api.Capacity{Physical: api.Amount{VCPUs: 2, Memory: 8 << 30}}, Free: api.FreeCapacity{Memory: 1 << 30}}, nil
}

func (fakeSource) Stats(_ context.Context, id string) (api.Stats, error) {
	switch id {
	case "gone":
		return api.Stats{}, api.Errorf(api.CodeConflict, "not running")
	case "broken":
		return api.Stats{}, errors.New("the disk broke")
	}
	return api.Stats{CPU: api.CPUStats{Usage: 1500 * time.Millisecond}, Memory: api.MemStats{Usage: 5 << 20, Limit: 8 << 20}}, nil
}

func (fakeSource) Credits(id string) (api.CPUCredits, bool) {
	return api.CPUCredits{Balance: 60}, id == "web"
}

func instance(id string, p api.Phase) *api.Instance {
	return &api.Instance{
		Meta: api.Meta{ID: id, Name: id, Project: "default"}, Node: "n1",
		Spec: api.InstanceSpec{Image: "nginx"}, Status: api.InstanceStatus{Phase: p, Starts: 2},
	}
}

func scrape(t *testing.T, s Source) string {
	t.Helper()
	w := httptest.NewRecorder()
	Handler(s, slog.New(slog.DiscardHandler)).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestScrape(t *testing.T) {
	got := scrape(t, fakeSource{[]*api.Instance{instance("web", api.PhaseRunning), instance("old", api.PhaseStopped), instance("gone", api.PhaseRunning), instance("broken", api.PhaseRunning)}})
	for _, want := range []string{
		`virga_node_vcpus{node="n1",state="physical"} 2`,
		`virga_node_allocated_baseline_vcpus{class="burst",node="n1"} 0.1`,
		`virga_instance_info{family="custom",group="",id="web",image="nginx",isolation="container",name="web",node="n1",project="default",type="custom"} 1`,
		`virga_instance_phase{id="old",name="old",phase="stopped",project="default"} 1`,
		`virga_instance_cpu_usage_seconds_total{id="web",name="web",project="default"} 1.5`,
		`virga_instance_memory_limit_bytes{id="web",name="web",project="default"} 8.388608e+06`,
		`virga_instance_cpu_credit_balance{id="web",name="web",project="default"} 60`,
		`virga_scrape_failures 1`,
		`go_goroutines`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %s", want)
		}
	}
	for _, not := range []string{`cpu_usage_seconds_total{id="old"`, `cpu_limit_vcpus{id="web"`, `cpu_credit_balance{id="old"`} {
		if strings.Contains(got, not) {
			t.Errorf("has %s", not)
		}
	}
}

func TestScrapesAreBounded(t *testing.T) {
	var many []*api.Instance
	for i := range maxInstances + 5 {
		many = append(many, instance(fmt.Sprint(i), api.PhaseStopped))
	}
	if got := scrape(t, fakeSource{many}); !strings.Contains(got, "virga_scrape_skipped_instances 5\n") {
		t.Error("more instances than the limit are not told of")
	}
}

// docs/metrics.md has every metric with its type, labels and help, and no other.
func TestDocumentationIsCurrent(t *testing.T) {
	b, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`\[([^]]*)\]\([^)]*\)`).ReplaceAllString(string(b), "$1")
	all := newCollector(fakeSource{}).families()
	all = append(all, newServiceCollector(withServices{}).families()...)
	all = append(all, newCostCollector(withCosts{}).families()...)
	all = append(all, newSpotCollector(withSpot{}).families()...)
	all = append(all, newVolumeCollector(withVolumes{}).families()...)
	names := []string{"virga_service_request_seconds"}
	for _, f := range all {
		names = append(names, f.name)
		kind := map[prometheus.ValueType]string{gauge: "gauge", counter: "counter"}[f.kind]
		labels := "-"
		if len(f.labels) > 0 {
			labels = "`" + strings.Join(f.labels, "` `") + "`"
		}
		if line := fmt.Sprintf("| `%s` | %s | %s | %s", f.name, kind, labels, f.help); !strings.Contains(text, line) {
			t.Errorf("docs/metrics.md lacks the line\n%s", line)
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `(virga_[a-z_]+)`").FindAllStringSubmatch(string(b), -1) {
		if !slices.Contains(names, m[1]) {
			t.Errorf("docs/metrics.md has %s, which nothing exports", m[1])
		}
	}
}
