package controller

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/store"
)

// loadedGroup is a group whose instances share a load, in virtual time.
type loadedGroup struct {
	*cloud
	scaler *Autoscaler
	used   map[string]time.Duration
	load   float64 // vCPUs, all together
}

func newLoadedGroup(t *testing.T, spec api.GroupSpec) *loadedGroup {
	c := newCloud(t, spec)
	l := &loadedGroup{cloud: c, used: map[string]time.Duration{}}
	now := func() time.Time { return c.now }
	log := slog.New(slog.DiscardHandler)
	l.scaler = &Autoscaler{Store: c.store, Record: func(api.Event) {}, Now: now, Log: log, Meter: &Meter{
		Store: c.store, Now: now, Log: log, Node: api.Amount{VCPUs: 8, Memory: 8 << 30},
		Stats: func(_ context.Context, id string) (api.Stats, error) {
			return api.Stats{Time: c.now, CPU: api.CPUStats{Usage: l.used[id]}}, nil
		},
	}}
	c.settle()
	return l
}

func (l *loadedGroup) seconds(n int) {
	for range n {
		_, ready := l.count()
		for _, in := range l.store.Instances.Views() {
			share := min(l.load/float64(max(ready, 1)), 1)
			l.used[in.ID] += time.Duration(share * float64(time.Second))
		}
		l.step()
		l.scaler.Tick(l.t.Context())
	}
}

func TestAutoscalerFollowsTheLoadAndSaysWhy(t *testing.T) {
	l := newLoadedGroup(t, api.GroupSpec{Desired: 2, Min: 1, Max: 8,
		Template: api.InstanceSpec{Resources: api.Resources{CPUs: 1}},
		Scaling: &api.Scaling{Targets: []api.TargetPolicy{{Metric: api.MetricCPU, Target: 50}},
			WarmUp: api.Duration(2 * time.Second), Stabilization: api.Duration(30 * time.Second), InCooldown: api.Duration(10 * time.Second)}})
	l.load = 1.9
	l.seconds(12)
	if n := l.group().Spec.Desired; n < 4 {
		t.Fatalf("%d desired under load", n)
	}
	said := false
	for _, h := range l.group().Status.History {
		said = said || strings.Contains(h.Message, "because CPU 95 % > 50 %")
	}
	if !said {
		t.Errorf("the history does not say why: %+v", l.group().Status.History)
	}
	l.load = 0.1
	l.seconds(180)
	if n := l.group().Spec.Desired; n != 1 {
		t.Errorf("%d desired when idle", n)
	}
	l.change(func(g *api.Group) { g.Spec.Paused = true })
	l.load = 8
	l.seconds(30)
	if n := l.group().Spec.Desired; n != 1 {
		t.Errorf("a paused group was scaled to %d", n)
	}
}

// Without measurements nothing is done.
func TestMissingMetricsChangeNothing(t *testing.T) {
	l := newLoadedGroup(t, api.GroupSpec{Desired: 3, Min: 1, Max: 8, Scaling: &api.Scaling{
		Targets: []api.TargetPolicy{{Metric: api.MetricRequests, Target: 5}, {Metric: api.MetricQueue, Target: 5}},
		Queue:   &api.QueueSource{URL: "http://127.0.0.1:1/"}, Stabilization: api.Duration(time.Second), InCooldown: api.Duration(time.Second)}})
	l.seconds(20)
	if n := l.group().Spec.Desired; n != 3 {
		t.Errorf("%d desired", n)
	}
}

func TestQueueLength(t *testing.T) {
	answer := ""
	status := http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	}))
	defer s.Close()
	for _, c := range []struct {
		name, query, pointer, answer string
		status                       int
		want                         float64
		bad                          bool
	}{
		{name: "number", answer: " 42.5\n", want: 42.5},
		{name: "words", answer: "many", bad: true},
		{name: "negative", answer: "-1", bad: true},
		{name: "not a number", answer: "NaN", bad: true},
		{name: "error", answer: "1", status: 500, bad: true},
		{name: "vector", query: "sum(x)", answer: `{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"3"]},{"value":[1,"4"]}]}}`, want: 7},
		{name: "empty vector", query: "x", answer: `{"status":"success","data":{"resultType":"vector","result":[]}}`},
		{name: "JSON", pointer: "/queues/0/ready~1now", answer: `{"queues":[{"ready/now":12}]}`, want: 12},
		{name: "JSON in quotes", pointer: "/n", answer: `{"n":"3"}`, want: 3},
		{name: "JSON without it", pointer: "/n/m", answer: `{"n":"3"}`, bad: true},
		{name: "JSON beyond a list", pointer: "/1", answer: `[1]`, bad: true},
		{name: "JSON of another type", pointer: "/n", answer: `{"n":true}`, bad: true},
		{name: "scalar", query: "x", answer: `{"status":"success","data":{"resultType":"scalar","result":[1,"9"]}}`, want: 9},
		{name: "matrix", query: "x", answer: `{"status":"success","data":{"resultType":"matrix","result":[]}}`, bad: true},
		{name: "failed query", query: "x", answer: `{"status":"error","error":"parse error"}`, bad: true},
		{name: "no JSON", query: "x", answer: `<html>`, bad: true},
		{name: "strange values", query: "x", answer: `{"status":"success","data":{"resultType":"vector","result":[{"value":[1]}]}}`, bad: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer, status = c.answer, max(c.status, 200)
			var q queues
			got, err := q.length(t.Context(), api.QueueSource{URL: s.URL, Query: c.query, Pointer: c.pointer})
			if (err != nil) != c.bad || got != c.want {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

func FuzzPromSum(f *testing.F) {
	f.Add([]byte(`{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"3"]}]}}`))
	f.Add([]byte(`{"status":"success","data":{"resultType":"scalar","result":[1,"9"]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, err := promSum(b); err == nil && !(v >= 0) {
			t.Errorf("%v", v)
		}
	})
}

func FuzzJSONNumber(f *testing.F) {
	f.Add([]byte(`{"a":[1,{"b":2}]}`), "/a/1/b")
	f.Add([]byte(`"7"`), "")
	f.Fuzz(func(t *testing.T, b []byte, pointer string) {
		if v, err := jsonNumber(b, pointer); err == nil && !(v >= 0) {
			t.Errorf("%v", v)
		}
	})
}

// What a group needed is remembered over a restart, and forgotten with the
// group.
func TestLoadsAreRemembered(t *testing.T) {
	l := newLoadedGroup(t, api.GroupSpec{Desired: 2, Min: 1, Max: 8, Template: api.InstanceSpec{Resources: api.Resources{CPUs: 1}},
		Scaling: &api.Scaling{Targets: []api.TargetPolicy{{Metric: api.MetricCPU, Target: 50}}, WarmUp: api.Duration(time.Second), Predictive: &api.PredictivePolicy{}}})
	l.load = 1
	l.seconds(16 * 60)
	stored, err := l.store.Loads.View(l.id)
	if err != nil || len(stored.Loads) != 1 || stored.Loads[0] < 1.9 || stored.Loads[0] > 2.1 {
		t.Fatalf("stored %+v, %v, want one slot of two instances", stored, err)
	}
	l.scaler.loads = nil // a new process
	l.seconds(1)
	if h := l.scaler.loads[l.id]; len(h.Loads) != 1 {
		t.Errorf("after a restart: %+v", h)
	}
	l.change(func(g *api.Group) { g.Spec.Scaling.Predictive = nil })
	l.seconds(1)
	if _, err := l.store.Loads.View(l.id); err == nil {
		t.Error("the load of a group that no longer predicts is kept")
	}
}

// The loop measures nothing before a group scales.
func TestAutoscalerWaitsForAGroup(t *testing.T) {
	st := store.Memory()
	ctx, cancel := context.WithCancel(t.Context())
	c := &Autoscaler{Store: st}
	done := make(chan error)
	go func() { done <- c.Controller().Run(ctx) }()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
