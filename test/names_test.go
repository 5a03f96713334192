package test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/virga-cloud/virga/api"
)

// resolverAt asks the name server at an address, by udp or tcp.
func resolverAt(at netip.Addr, network string) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, netip.AddrPortFrom(at, 53).String())
	}}
}

// Names, addresses and ports of instances and services, both ways, by UDP and
// TCP, and what a network does not show.
func TestNamesOfInstancesAndServices(t *testing.T) {
	d := Start(t)
	d.Must(t, "network", "create", "names", "--if-not-exists")
	t.Cleanup(func() { d.CLI("network", "rm", "names") })
	port := freePort(t)
	d.Must(t, "run", "-d", "--name", "n1", "--network", "names", "--label", "app=names", "-p", fmt.Sprintf("%d:8080", port), "virga/hello", "serve")
	d.Must(t, "run", "-d", "--name", "elsewhere", "virga/hello", "serve")
	d.front(t, "front", "--network", "names", "--select", "app=names", "--port", "web=80:8080", "--http")
	s := d.awaitUp(t, "front", 1)
	var list []api.Network
	if err := json.Unmarshal([]byte(d.Must(t, "network", "inspect", "names")), &list); err != nil || len(list) != 1 {
		t.Fatal(err, list)
	}
	in := d.Inspect(t, "n1")
	ctx := t.Context()
	check := func(network string) {
		t.Helper()
		r := resolverAt(list[0].Spec.Gateway, network)
		find := func(name string) []string {
			addrs, err := r.LookupHost(ctx, name)
			if err != nil {
				return []string{err.Error()}
			}
			return addrs
		}
		full := "n1.default.virga.internal."
		for _, a := range in.Status.Addresses {
			for _, addr := range []netip.Addr{a.Address, a.Address6} {
				if !addr.IsValid() {
					continue
				}
				if got := find(full); !slices.Contains(got, addr.String()) {
					t.Errorf("%s: %s is %q, want %s among them", network, full, got, addr)
				}
				if names, err := r.LookupAddr(ctx, addr.String()); err != nil || !slices.Contains(names, full) {
					t.Errorf("%s: the name of %s is %q, %v", network, addr, names, err)
				}
			}
		}
		want := []string{s.Address.String(), s.Address6.String()}
		if got := find("front.default.virga.internal."); len(got) != 2 || !slices.Contains(got, want[0]) || !slices.Contains(got, want[1]) {
			t.Errorf("%s: the service is %q, want %q", network, got, want)
		}
		for _, c := range []struct {
			service, name, want string
		}{
			{"web", "front.default.virga.internal.", "front.default.virga.internal.:80"},
			{"8080", full, full + ":8080"},
		} {
			_, records, err := r.LookupSRV(ctx, c.service, "tcp", c.name)
			if err != nil || len(records) != 1 || fmt.Sprintf("%s:%d", records[0].Target, records[0].Port) != c.want {
				t.Errorf("%s: SRV %s of %s is %v, %v; want %s", network, c.service, c.name, records, err, c.want)
			}
		}
		for _, name := range []string{"elsewhere.default.virga.internal.", "nobody.default.virga.internal."} {
			if got := find(name); !strings.Contains(got[0], "no such host") {
				t.Errorf("%s: %s is %q on a network that it is not on", network, name, got)
			}
		}
	}
	check("udp")
	check("tcp")
	d.Kill9(t)
	d.Restart(t)
	check("udp")
	d.Must(t, "rm", "-f", "n1", "elsewhere")
	if got, err := resolverAt(list[0].Spec.Gateway, "udp").LookupHost(ctx, "n1.default.virga.internal."); err == nil {
		t.Errorf("a removed instance is still %v", got)
	}
}
