package service

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/virga-cloud/virga/api"
)

func instance(name string, change ...func(*api.Instance)) *api.Instance {
	in := &api.Instance{
		Meta:    api.Meta{ID: "id-" + name, Name: name, Project: "default", Labels: map[string]string{"app": "web"}},
		Desired: api.Desired{State: api.DesiredRunning, Life: 1},
		Status: api.InstanceStatus{Phase: api.PhaseRunning, Life: 1, Starts: 1,
			Addresses: []api.AddressOn{{Network: "default", Address: netip.MustParseAddr("10.0.0.2")}}},
	}
	for _, c := range change {
		c(in)
	}
	return in
}

func web() *api.Service {
	s := &api.Service{Meta: api.Meta{ID: "s", Name: "web", Project: "default"},
		Spec: api.ServiceSpec{Selector: api.ServiceSelector{Labels: map[string]string{"app": "web"}},
			Ports: []api.ServicePort{{Port: 80, Target: 8080, Protocol: "http"}}}}
	Complete(&s.Spec)
	return s
}

func TestStatesOfBackends(t *testing.T) {
	well := Verdict{Up: true, WasUp: true}
	for _, c := range []struct {
		what     string
		change   func(*api.Instance)
		verdict  Verdict
		draining bool
		want     api.BackendState
	}{
		{"well", func(*api.Instance) {}, well, false, api.BackendUp},
		{"not checked yet", func(*api.Instance) {}, Verdict{}, false, api.BackendStarting},
		{"failed its checks", func(*api.Instance) {}, Verdict{WasUp: true, Reason: "x"}, false, api.BackendDown},
		{"draining", func(*api.Instance) {}, well, true, api.BackendDraining},
		{"asked to stop", func(in *api.Instance) { in.Desired.State = api.DesiredStopped }, well, false, api.BackendDraining},
		{"asked to restart", func(in *api.Instance) { in.Desired.Life = 2 }, well, false, api.BackendDraining},
		{"to be removed", func(in *api.Instance) { in.Desired.Remove = true }, well, false, api.BackendDraining},
		{"paused", func(in *api.Instance) { in.Status.Phase = api.PhasePaused }, well, false, api.BackendDown},
		{"stopped", func(in *api.Instance) { in.Status.Phase = api.PhaseStopped }, well, false, api.BackendIdle},
		{"its own check has not succeeded", func(in *api.Instance) { in.Status.Health = &api.HealthStatus{State: "starting"} }, well, false, api.BackendStarting},
		{"its own check fails", func(in *api.Instance) { in.Status.Health = &api.HealthStatus{State: "unhealthy"} }, well, false, api.BackendDown},
		{"its own check succeeds", func(in *api.Instance) { in.Status.Health = &api.HealthStatus{State: "healthy"} }, well, false, api.BackendUp},
		{"on another network", func(in *api.Instance) { in.Status.Addresses[0].Network = "back" }, well, false, api.BackendIdle},
		{"without weight", func(in *api.Instance) { in.Labels[api.WeightLabel] = "0" }, well, false, api.BackendDown},
	} {
		k := Known{Draining: func(string) bool { return c.draining }, Verdict: func(*api.Instance) Verdict { return c.verdict }}
		got := Backends(web(), []*api.Instance{instance("a", c.change)}, k)
		if len(got) != 1 || got[0].State != c.want {
			t.Errorf("%s: %+v, want %s", c.what, got, c.want)
		}
	}
}

func TestSelects(t *testing.T) {
	s := web()
	if !Selects(s, instance("a")) {
		t.Error("an instance with the label is not selected")
	}
	for what, change := range map[string]func(*api.Instance){
		"another project":       func(in *api.Instance) { in.Project = "shop" },
		"another label's value": func(in *api.Instance) { in.Labels["app"] = "db" },
	} {
		if Selects(s, instance("a", change)) {
			t.Errorf("%s is selected", what)
		}
	}
	s.Spec.Selector = api.ServiceSelector{}
	if Selects(s, instance("a")) {
		t.Error("no selector selects")
	}
	s.Spec.Selector = api.ServiceSelector{Group: "g"}
	if Selects(s, instance("a")) || !Selects(s, instance("a", func(in *api.Instance) { in.Group = "g" })) {
		t.Error("a group's selector does not select its instances, or others")
	}
}

func TestVerdictChangesAfterSoManyChecks(t *testing.T) {
	check := &api.ServiceCheck{Rise: 2, Fall: 3}
	var v Verdict
	var got []bool
	for _, reason := range strings.Split("x,,,x,x,,x,x,x,,", ",") {
		v = v.After(check, reason)
		got = append(got, v.Up)
	}
	want := []bool{false, false, true, true, true, true, true, true, false, false, true}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		field  string // at fault, "" for none
		change func(*api.ServiceSpec)
	}{
		{"", func(*api.ServiceSpec) {}},
		{"spec.selector", func(s *api.ServiceSpec) { s.Selector = api.ServiceSelector{} }},
		{"", func(s *api.ServiceSpec) { // a front for others
			s.Selector, s.Routes = api.ServiceSelector{}, []api.ServiceRoute{{Path: "/a", Service: "a"}}
		}},
		{"spec.ports", func(s *api.ServiceSpec) { s.Ports = nil }},
		{"spec.ports[1].port", func(s *api.ServiceSpec) { s.Ports = append(s.Ports, s.Ports[0]) }},
		{"", func(s *api.ServiceSpec) { s.Ports = append(s.Ports, api.ServicePort{Port: 80, Protocol: "udp"}) }},
		{"spec.routes[0].host", func(s *api.ServiceSpec) { s.Routes = []api.ServiceRoute{{Host: "a..b"}} }},
		{"", func(s *api.ServiceSpec) {
			s.Routes = []api.ServiceRoute{{Host: "*.example.org", Path: "/a", Strip: true}}
		}},
		{"spec.routes[0].path", func(s *api.ServiceSpec) { s.Routes = []api.ServiceRoute{{Path: "a"}} }},
		{"spec.routes[0].strip", func(s *api.ServiceSpec) { s.Routes = []api.ServiceRoute{{Strip: true}} }},
		{"spec.trustedProxies", func(s *api.ServiceSpec) {
			s.Ports[0].Protocol, s.TrustedProxies = "tcp", []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		}},
		{"spec.trustedProxies[1]", func(s *api.ServiceSpec) {
			s.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.0.2.1/24")}
		}},
		{"", func(s *api.ServiceSpec) {
			s.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("2001:db8::/64")}
		}},
		{"spec.check.command", func(s *api.ServiceSpec) { s.Check = &api.ServiceCheck{Type: "exec"} }},
		{"spec.check.interval", func(s *api.ServiceSpec) { s.Check = &api.ServiceCheck{Type: "tcp", Interval: 1} }},
		{"spec.balance.cookie", func(s *api.ServiceSpec) { s.Balance.Cookie = "a;b" }},
		{"spec.tls.acme", func(s *api.ServiceSpec) { s.TLS = &api.ServiceTLS{ACME: true} }},
		{"spec.tls.acme", func(s *api.ServiceSpec) {
			s.Ports[0].Protocol, s.TLS = "https", &api.ServiceTLS{ACME: true, Names: []string{"web", "localhost"}}
		}},
		{"spec.tls.acme", func(s *api.ServiceSpec) {
			s.Ports[0].Protocol, s.TLS = "https", &api.ServiceTLS{ACME: true, Names: []string{"web.example"}, Certificate: "x", Key: "y"}
		}},
		{"", func(s *api.ServiceSpec) {
			s.Ports[0].Protocol, s.TLS = "https", &api.ServiceTLS{ACME: true, Names: []string{"web.example"}}
		}},
		{"spec.tls", func(s *api.ServiceSpec) { s.TLS = &api.ServiceTLS{Certificate: "x"} }},
		{"spec.tls.certificate", func(s *api.ServiceSpec) { s.TLS = &api.ServiceTLS{Certificate: "x", Key: "y"} }},
		{"spec.tls.certificate", func(s *api.ServiceSpec) {
			s.Ports[0].Protocol, s.TLS = "https", &api.ServiceTLS{Certificate: "x", Key: "y"}
		}},
	} {
		s := web().Spec
		c.change(&s)
		Complete(&s)
		field := ""
		if e, ok := Validate(&s).(*api.Error); ok {
			field = e.Field
		}
		if field != c.field {
			t.Errorf("%v: at fault %q, want %q", Validate(&s), field, c.field)
		}
	}
}

func TestConflict(t *testing.T) {
	published := func(id, protocol string, routes ...api.ServiceRoute) *api.Service {
		s := web()
		s.ID, s.Name = id, id
		s.Spec.Ports[0].Publish, s.Spec.Ports[0].Protocol, s.Spec.Routes = 8080, protocol, routes
		return s
	}
	a := published("a", "http", api.ServiceRoute{Host: "a.example"})
	for _, c := range []struct {
		what string
		s    *api.Service
		free bool
	}{
		{"the service itself", a, true},
		{"another host", published("b", "http", api.ServiceRoute{Host: "b.example"}), true},
		{"any host", published("b", "http"), true},
		{"the same host", published("b", "http", api.ServiceRoute{Host: "a.example"}), false},
		{"another protocol", published("b", "https", api.ServiceRoute{Host: "b.example"}), false},
		{"no HTTP", published("b", "tcp"), false},
		{"udp", published("b", "udp"), true},
	} {
		if err := Conflict(c.s, []*api.Service{a}); (err == nil) != c.free {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

func TestAddress(t *testing.T) {
	n := &api.Network{Meta: api.Meta{Name: "n"}, Spec: api.NetworkSpec{
		Subnet: netip.MustParsePrefix("10.0.0.0/29"), Gateway: netip.MustParseAddr("10.0.0.1")}}
	taken := map[netip.Addr]string{netip.MustParseAddr("10.0.0.5"): "instance a"}
	var got []string
	for {
		a, err := Address(n, netip.Addr{}, taken)
		if err != nil {
			if api.CodeOf(err) != api.CodeInsufficientCapacity {
				t.Error(err)
			}
			break
		}
		taken[a] = "service"
		got = append(got, a.String())
	}
	if d := cmp.Diff([]string{"10.0.0.6", "10.0.0.4", "10.0.0.3", "10.0.0.2"}, got); d != "" {
		t.Error(d)
	}
	for _, want := range []string{"10.0.0.0", "10.0.0.1", "10.0.0.7", "10.0.1.2", "10.0.0.5", "fd00::1"} {
		if a, err := Address(n, netip.MustParseAddr(want), taken); err == nil {
			t.Errorf("%s was given as %s", want, a)
		}
	}
}
