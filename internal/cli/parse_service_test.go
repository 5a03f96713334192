package cli

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
	"github.com/virga-cloud/virga/api"
)

// serviceOf is the specification that flags make.
func serviceOf(args ...string) (s api.ServiceSpec, err error) {
	err = changeService(&s, args...)
	return s, err
}

// changeService changes a specification as flags say.
func changeService(s *api.ServiceSpec, args ...string) error {
	var f serviceFlags
	set := pflag.NewFlagSet("update", pflag.ContinueOnError)
	f.register(set)
	if err := set.Parse(args); err != nil {
		return err
	}
	return f.apply(s, set.Changed)
}

func TestServicePorts(t *testing.T) {
	for _, c := range []struct {
		args []string
		want []api.ServicePort // nil: refused
	}{
		{[]string{"--port", "80"}, []api.ServicePort{{Port: 80}}},
		{[]string{"--port", "80:8080", "--http"}, []api.ServicePort{{Port: 80, Target: 8080, Protocol: "http"}}},
		{[]string{"--port", "web=80:8080/http", "--port", "53/udp", "--tls"}, []api.ServicePort{{Name: "web", Port: 80, Target: 8080, Protocol: "http"}, {Port: 53, Protocol: "udp"}}},
		{[]string{"--port", "80", "--publish", "8080"}, []api.ServicePort{{Port: 80, Publish: 8080}}},
		{[]string{"--port", "80", "--port", "90", "--publish", "8080:90"}, []api.ServicePort{{Port: 80}, {Port: 90, Publish: 8080}}},
		{[]string{"--port", "80", "--port", "90", "--publish", "8080"}, nil},
		{[]string{"--port", "80", "--publish", "8080:90"}, nil},
		{[]string{"--port", "0"}, nil},
		{[]string{"--port", "80:"}, nil},
		{[]string{"--port", "80:65536"}, nil},
		{[]string{"--port", "80", "--publish", "x"}, nil},
	} {
		s, err := serviceOf(c.args...)
		if (err == nil) != (c.want != nil) {
			t.Errorf("%q: %v", c.args, err)
			continue
		}
		if d := cmp.Diff(c.want, s.Ports); err == nil && d != "" {
			t.Errorf("%q: %s", c.args, d)
		}
	}
}

func TestServiceRoutes(t *testing.T) {
	for _, c := range []struct {
		args []string
		want []api.ServiceRoute
	}{
		{[]string{"--path", "/api=api"}, []api.ServiceRoute{{Path: "/api", Service: "api"}}},
		{[]string{"--path", "/api=api,strip", "--host", "a.example"}, []api.ServiceRoute{{Host: "a.example", Path: "/api", Service: "api", Strip: true}, {Host: "a.example"}}},
		{[]string{"--path", "/shop"}, []api.ServiceRoute{{Path: "/shop"}}},
		{[]string{"--path", "/shop", "--host", "a.example"}, []api.ServiceRoute{{Host: "a.example", Path: "/shop"}}},
		{[]string{"--host", "a.example", "--host", "b.example"}, []api.ServiceRoute{{Host: "a.example"}, {Host: "b.example"}}},
	} {
		s, err := serviceOf(c.args...)
		if d := cmp.Diff(c.want, s.Routes); err != nil || d != "" {
			t.Errorf("%q: %v %s", c.args, err, d)
		}
	}
	for _, bad := range []string{"api=api", "/api=api,strop", ""} {
		if _, err := serviceOf("--path", bad); err == nil {
			t.Errorf("--path %q is taken", bad)
		}
	}
}

// What no flag names stays, and none takes away.
func TestServiceUpdates(t *testing.T) {
	start := []string{"--port", "80:8080/http", "--port", "53/udp", "--publish", "8080:80", "--publish", "53:53", "--host", "a.example", "--path", "/api=api,strip"}
	routes := func(host string) []api.ServiceRoute {
		return []api.ServiceRoute{{Host: host, Path: "/api", Service: "api", Strip: true}, {Host: host}}
	}
	dns := api.ServicePort{Port: 53, Protocol: "udp", Publish: 53}
	web := api.ServicePort{Port: 80, Target: 8080, Protocol: "http", Publish: 8080}
	for _, c := range []struct {
		args   []string
		ports  []api.ServicePort
		routes []api.ServiceRoute
	}{
		{[]string{"--host", "b.example"}, []api.ServicePort{web, dns}, routes("b.example")},
		{[]string{"--host", "none"}, []api.ServicePort{web, dns}, []api.ServiceRoute{{Path: "/api", Service: "api", Strip: true}}},
		{[]string{"--path", "/new=new"}, []api.ServicePort{web, dns}, []api.ServiceRoute{{Host: "a.example", Path: "/new", Service: "new"}, {Host: "a.example"}}},
		{[]string{"--path", "none"}, []api.ServicePort{web, dns}, []api.ServiceRoute{{Host: "a.example"}}},
		{[]string{"--port", "80:9090/http", "--port", "53"}, []api.ServicePort{{Port: 80, Target: 9090, Protocol: "http", Publish: 8080}, {Port: 53}}, routes("a.example")},
		{[]string{"--publish", "none"}, []api.ServicePort{{Port: 80, Target: 8080, Protocol: "http"}, {Port: 53, Protocol: "udp"}}, routes("a.example")},
	} {
		s, err := serviceOf(start...)
		if err != nil {
			t.Fatal(err)
		}
		if err := changeService(&s, c.args...); err != nil {
			t.Errorf("%q: %v", c.args, err)
		}
		if d := cmp.Diff(c.ports, s.Ports) + cmp.Diff(c.routes, s.Routes); d != "" {
			t.Errorf("%q: %s", c.args, d)
		}
	}
	given := api.ServiceSpec{TLS: &api.ServiceTLS{Certificate: "c", Key: "k"}}
	if err := changeService(&given, "--cert", "none"); err != nil || given.TLS.Certificate+given.TLS.Key != "" {
		t.Errorf("--cert none: %v, %+v", err, given.TLS)
	}
}

func TestServiceChecks(t *testing.T) {
	for text, want := range map[string]*api.ServiceCheck{
		"http:/health": {Type: "http", Path: "/health"},
		"http":         {Type: "http"},
		"tcp":          {Type: "tcp"},
		"none":         {Type: "none"},
		"exec:true":    {Type: "exec", Command: []string{"/bin/sh", "-c", "true"}},
		"":             nil,
	} {
		got, err := parseCheck(text)
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("%q: %v %s", text, err, d)
		}
	}
	for _, bad := range []string{"tcp:80", "exec", "exec:", "ping"} {
		if _, err := parseCheck(bad); err == nil {
			t.Errorf("--check %q is taken", bad)
		}
	}
	if _, err := serviceOf("--fall", "2"); err == nil {
		t.Error("--fall without a check is taken")
	}
}
