package test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/virga-cloud/virga/api"
)

// unreachable fails when one instance gets an answer from another.
func (d *Daemon) unreachable(t *testing.T, from, url string) {
	t.Helper()
	if r := d.CLI("exec", from, "timeout", "1", "wget", "-qO-", url); r.Code == 0 || r.Code == 127 {
		t.Errorf("%s reaches %s: %s", from, url, r.Stdout)
	}
}

// reaches waits until one instance gets an answer from another.
func (d *Daemon) reaches(t *testing.T, from, url string) {
	t.Helper()
	eventually(t, from+" reaches "+url, func() (bool, string) {
		r := d.CLI("exec", from, "timeout", "5", "wget", "-qO-", url)
		return r.Code == 0 && strings.Contains(r.Stdout, "hello from busybox"), r.String()
	})
}

// web is a shop window on the network front and a store room on back, which
// nobody but the window may enter.
func TestTwoNetworks(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	serve := []string{image, "httpd", "-f", "-p", "8000", "-h", "/var/www"}
	d.Must(t, "network", "create", "front")
	d.Must(t, "network", "create", "--internal", "back")
	equal(t, "again", d.Must(t, "network", "create", "--internal", "--if-not-exists", "back"), "back")
	port := freePort(t)
	d.Must(t, append([]string{"run", "-d", "--name", "web", "--network", "front", "-p", fmt.Sprintf("%d:8000", port)}, serve...)...)
	d.Must(t, append([]string{"run", "-d", "--name", "db", "--network", "back"}, serve...)...)
	d.Must(t, append([]string{"run", "-d", "--name", "plain"}, serve...)...)
	db, plain := d.WaitPhase(t, "db", api.PhaseRunning), d.WaitPhase(t, "plain", api.PhaseRunning)
	web := d.WaitPhase(t, "web", api.PhaseRunning)
	eventuallyGet(t, fmt.Sprintf("http://127.0.0.1:%d/", port), "hello from busybox")
	eventuallyGet(t, fmt.Sprintf("http://[::1]:%d/", port), "hello from busybox")

	dbURL := fmt.Sprintf("http://%s:8000/", db.Status.Addresses[0].Address)
	d.unreachable(t, "web", dbURL)
	d.unreachable(t, "web", "http://db:8000/")
	d.unreachable(t, "db", fmt.Sprintf("http://%s:8000/", web.Status.Addresses[0].Address))
	d.unreachable(t, "plain", fmt.Sprintf("http://%s:8000/", web.Status.Addresses[0].Address))
	d.unreachable(t, "web", fmt.Sprintf("http://[%s]:8000/", plain.Status.Addresses[0].Address6))
	contains(t, d.Refused(t, "network", "rm", "back"), "db")

	d.Must(t, "network", "connect", "back", "web")
	d.unreachable(t, "web", "http://db:8000/") // internal networks deny
	d.Must(t, "network", "allow", "web", "db:8000/tcp")
	d.reaches(t, "web", "http://db:8000/")
	d.unreachable(t, "db", fmt.Sprintf("http://%s:8000/", d.Inspect(t, "web").Status.Addresses[1].Address))
	contains(t, d.Must(t, "network", "rules"), "8000/tcp")
	d.unreachable(t, "plain", dbURL)
	// It is in the spec: a restart has it, and so has an adopted instance.
	d.Must(t, "restart", "-t", "1", "web")
	d.reaches(t, "web", "http://db:8000/")
	d.Kill9(t)
	d.Restart(t)
	d.reaches(t, "web", "http://db:8000/")
	d.Must(t, "network", "disconnect", "back", "web")
	d.unreachable(t, "web", dbURL)
	d.Must(t, "network", "rules", "rm", strings.TrimSpace(d.Must(t, "network", "rules", "-q")))
	if n := len(d.Inspect(t, "web").Status.Addresses); n != 1 {
		t.Errorf("web has %d addresses", n)
	}
	d.Refused(t, "network", "disconnect", "back", "web")
	d.Refused(t, "network", "connect", "nowhere", "web")
}

func TestIPv6BetweenInstances(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.Must(t, "run", "-d", "--name", "web", image, "httpd", "-f", "-p", "[::]:8000", "-h", "/var/www")
	d.Must(t, "run", "-d", "--name", "client", image, "sleep", "1000")
	web := d.WaitPhase(t, "web", api.PhaseRunning)
	a := web.Status.Addresses[0]
	if !a.Address6.IsValid() {
		t.Fatalf("no IPv6 address: %+v", a)
	}
	d.WaitPhase(t, "client", api.PhaseRunning)
	d.reaches(t, "client", fmt.Sprintf("http://[%s]:8000/", a.Address6))
	d.Must(t, "restart", "-t", "1", "web")
	if now := d.Inspect(t, "web").Status.Addresses[0]; now.Address6 != a.Address6 {
		t.Errorf("address %s became %s", a.Address6, now.Address6)
	}
}

func TestBadNetworksAreRefused(t *testing.T) {
	d := Start(t)
	for _, args := range [][]string{
		{"My_Net"}, {"default"}, {"host"},
		{"--subnet", "10.20.0.5/24", "a"}, {"--subnet", "127.0.0.0/8", "a"}, {"--subnet", "10.20.0.0/40", "a"},
		{"--subnet", "10.20.0.0/24", "--gateway", "10.21.0.1", "a"}, {"--mtu", "70000", "a"},
	} {
		d.Refused(t, append([]string{"network", "create"}, args...)...)
	}
	subnet := strings.TrimSpace(d.Must(t, "network", "inspect", "-f", "{{.Spec.Subnet}}", "default"))
	contains(t, d.Refused(t, "network", "create", "--subnet", subnet, "a"), "overlaps", "network default")
}
