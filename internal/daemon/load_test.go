package daemon

import (
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/proxy"
)

func TestLoadOfAGroupIsThatOfItsServices(t *testing.T) {
	now := time.Unix(1000, 0)
	bounds := []time.Duration{time.Millisecond, 100 * time.Millisecond}
	count := proxy.Snapshot{Bounds: bounds, Buckets: []int64{100, 0, 0}, Requests: [6]int64{2: 100}}
	service := &api.Service{Meta: api.Meta{ID: "s", Project: "p"}, Spec: api.ServiceSpec{Selector: api.ServiceSelector{Group: "web"}}}
	l := &loads{
		services: func() []*api.Service { return []*api.Service{service} },
		traffic:  func() map[string]proxy.Snapshot { return map[string]proxy.Snapshot{"s": count} },
		now:      func() time.Time { return now },
	}
	web := &api.Group{Meta: api.Meta{Name: "web", Project: "p"}}
	if _, ok := l.of(web); ok {
		t.Error("a load from one reading")
	}
	now = now.Add(2 * time.Second)
	count.Requests = [6]int64{2: 140}
	count.Buckets = []int64{102, 38, 0}
	got, ok := l.of(web)
	if !ok || got.Requests != 20 || got.Latency != 100*time.Millisecond {
		t.Errorf("%+v, %v", got, ok)
	}
	for _, other := range []api.Meta{{Name: "web", Project: "q"}, {Name: "db", Project: "p"}} {
		if _, ok := l.of(&api.Group{Meta: other}); ok {
			t.Errorf("%s of %s has a load", other.Name, other.Project)
		}
	}
}
