package test

import (
	"strings"
	"testing"
)

// The service of an internal network serves that network and nobody else.
func TestServiceOfAnInternalNetwork(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.Must(t, "network", "create", "--internal", "--policy", "allow", "back")
	t.Cleanup(func() {
		if ids := strings.Fields(d.CLI("ps", "-aq").Stdout); len(ids) > 0 {
			d.CLI(append([]string{"rm", "-f"}, ids...)...)
		}
		d.CLI("network", "rm", "back")
	})
	d.Must(t, "run", "-d", "--name", "i1", "--network", "back", "--label", "app=inner", "virga/hello", "serve")
	d.front(t, "inner", "--select", "app=inner", "--network", "back", "--port", "80:8080/http", "--port", "9000:8080")
	s := d.awaitUp(t, "inner", 1)
	for _, page := range []string{"http://inner/", "http://inner:9000/", "http://[" + s.Address6.String() + "]/", "http://[" + s.Address6.String() + "]:9000/"} {
		contains(t, d.Must(t, "run", "--rm", "--network", "back", "virga/hello", "get", page), "Hello from virga")
	}
	for _, page := range []string{"http://" + s.Address.String() + "/", "http://" + s.Address.String() + ":9000/", "http://[" + s.Address6.String() + "]/"} {
		if r := d.CLI("run", "--rm", "--init", image, "timeout", "3", "wget", "-qO-", page); r.Code == 0 {
			t.Errorf("%s answers on another network: %v", page, r)
		}
	}
	contains(t, d.Refused(t, "service", "update", "inner", "--publish", "18080:80"), "internal")
	contains(t, d.Refused(t, "network", "rm", "back"), "back")
}

func TestServiceAsksItsInstances(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.Must(t, "run", "-d", "--name", "e1", "--label", "app=exec", image, "httpd", "-f", "-p", "8000", "-h", "/var/www")
	d.front(t, "exec", "--select", "app=exec", "--port", "80:8000", "--http", "--check", "exec:test ! -e /tmp/ill", "--check-interval", "100ms", "--fall", "2")
	d.awaitUp(t, "exec", 1)
	d.Must(t, "exec", "e1", "touch", "/tmp/ill")
	s := d.awaitUp(t, "exec", 0)
	if b := s.Status.Backends; len(b) != 1 || b[0].State != "down" || b[0].Reason == "" {
		t.Errorf("backends: %+v", b)
	}
	d.Must(t, "exec", "e1", "rm", "/tmp/ill")
	d.awaitUp(t, "exec", 1)
}
