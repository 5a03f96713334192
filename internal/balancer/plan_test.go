package balancer

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/service"
	"github.com/virga-cloud/virga/internal/proxy"
)

var addr = netip.MustParseAddr

func aService(name, address string, ports ...api.ServicePort) *api.Service {
	s := &api.Service{Meta: api.Meta{ID: "id-" + name, Name: name, Project: "default"}, Address: addr(address),
		Spec: api.ServiceSpec{Selector: api.ServiceSelector{Group: name}, Ports: ports}}
	service.Complete(&s.Spec)
	return s
}

func aBackend(name string, state api.BackendState, weight int) api.ServiceBackend {
	return api.ServiceBackend{Instance: name, Name: name, Address: addr("10.0.0.2"), Address6: addr("fd00::10.0.0.2"), State: state, Weight: weight}
}

// aNetwork is one with IPv6.
type aNetwork struct{ Network }

func (aNetwork) Address6(_, _ string, a netip.Addr) netip.Addr {
	return addr("fd00::" + a.String())
}

func TestKernelGetsWhatIsUp(t *testing.T) {
	s := aService("db", "10.0.0.250", api.ServicePort{Port: 5432, Publish: 15432}, api.ServicePort{Port: 53, Protocol: "udp", Name: "dns"})
	p := makePlan([]*api.Service{s}, map[string][]api.ServiceBackend{s.ID: {
		aBackend("a", api.BackendUp, 2), aBackend("b", api.BackendDown, 1), aBackend("c", api.BackendDraining, 1), aBackend("d", api.BackendStarting, 1)}},
		map[string]netip.Addr{s.ID: addr("fd00::10.0.0.250")})
	if len(p.doors) != 0 || len(p.fronts) != 1 {
		t.Fatalf("%d doors, %d fronts", len(p.doors), len(p.fronts))
	}
	var at []string
	for _, b := range p.fronts[0].Balanced {
		at = append(at, b.At.String())
		if len(b.Targets) != 1 || b.Targets[0].Weight != 2 || b.Targets[0].To.Addr().Is6() != b.At.Addr().Is6() {
			t.Errorf("%s: %v", b.At, b.Targets)
		}
	}
	if d := cmp.Diff([]string{"10.0.0.250:5432", "0.0.0.0:15432", "[fd00::a00:fa]:5432", "[::]:15432", "10.0.0.250:53", "[fd00::a00:fa]:53"}, at); d != "" {
		t.Error(d)
	}
	if n := p.fronts[0].Names; n[0].Name != "tcp" || n[1].Name != "dns" || n[1].Protocol != "udp" {
		t.Errorf("names %v", n)
	}
}

func TestServicesShareAPublishedPort(t *testing.T) {
	api1 := aService("api", "10.0.0.250", api.ServicePort{Port: 80, Target: 9000, Protocol: "http"})
	shop := aService("shop", "10.0.0.251", api.ServicePort{Port: 80, Target: 8080, Protocol: "http", Publish: 80})
	shop.Spec.Routes = []api.ServiceRoute{{Host: "shop.example", Path: "/api", Service: "api", Strip: true}, {Host: "shop.example"}}
	blog := aService("blog", "10.0.0.252", api.ServicePort{Port: 80, Protocol: "http", Publish: 80})
	blog.Spec.Routes = []api.ServiceRoute{{Path: "/old", Service: "gone"}, {}}
	blog.Created = time.Unix(1, 0)
	p := makePlan([]*api.Service{blog, shop, api1}, map[string][]api.ServiceBackend{api1.ID: {aBackend("a", api.BackendDraining, 1)}},
		map[string]netip.Addr{shop.ID: addr("fd00::10.0.0.251")})
	if len(p.doors) != 5 {
		t.Fatalf("%d doors, want one for each address and one for the node's port", len(p.doors))
	}
	want := []proxy.Route{
		{Host: "shop.example", Path: "/api", Pool: "api.default:9000", StripPath: true},
		{Host: "shop.example", Pool: "shop.default:8080"},
		{Path: "/old", Pool: "gone.default"},
		{Pool: "blog.default:80"},
	}
	shared := p.doors[place{port: 80}].config
	if d := cmp.Diff(want, shared.Routes); d != "" {
		t.Error(d)
	}
	if b := shared.Pools[0].Backends; len(b) != 1 || !b[0].Draining || b[0].Addr != netip.MustParseAddrPort("10.0.0.2:9000") {
		t.Errorf("the other service's instances: %+v", b)
	}
	if d := cmp.Diff(map[string][]string{blog.ID: {"/old leads to service gone, which does not exist"}}, p.problems); d != "" {
		t.Error(d)
	}
	if p.pools["api.default:9000"] != api1.ID {
		t.Errorf("pools: %v", p.pools)
	}
}

func TestCertificateIsChosenByName(t *testing.T) {
	c := &Controller{Config: Config{Domain: "virga.internal", Network: aNetwork{}}} // without ACME
	a := aService("a", "10.0.0.250")
	b := aService("b", "10.0.0.251")
	b.Spec.Routes = []api.ServiceRoute{{Host: "*.b.example"}}
	list := c.certificates([]*api.Service{a, b}).list
	for name, want := range map[string]int{"a": 0, "b.default.virga.internal": 1, "x.b.example": 1, "b.example": -1, "x.y.b.example": -1} {
		got := -1
		for i, cr := range list {
			if cr.has(name) {
				got = i
				break
			}
		}
		if got != want {
			t.Errorf("%s: credential %d, want %d", name, got, want)
		}
	}
}
