package network

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/linux/link"
)

// dual is a default network with both families.
func dual() api.Network {
	return api.Network{Meta: api.Meta{Name: api.NetworkDefault}, Spec: api.NetworkSpec{
		Subnet:  netip.MustParsePrefix("10.90.0.0/16"),
		Subnet6: netip.MustParsePrefix("fd12:3456:789a::/64"),
	}}
}

func TestIPv6(t *testing.T) {
	f := newFabric(t, Config{Subnet: dual().Spec.Subnet, Networks: []api.Network{dual()}})
	if !f.config.ipv6 {
		t.Skip("the kernel has no IPv6")
	}
	r := request("web")
	r.Ports = []api.Port{{Port: 80}, {HostIP: "::1", HostPort: 8082, Port: 80}}
	web, other := attach(t, f, r), attach(t, f, request("other"))
	a := web.Addresses[0]
	if want := f.segments[api.NetworkDefault].addr6(a.Address); a.Address6 != want || a.Prefix6 != 64 || a.Gateway6 != netip.MustParseAddr("fd12:3456:789a::1") {
		t.Fatalf("addresses %+v, want %s", a, want)
	}
	if len(web.Ports) != 2 {
		t.Fatalf("ports %+v", web.Ports)
	}
	listen6(t, web, "web")
	port := web.Ports[0].HostPort
	outside := outsider(t)
	outside6(t, outside)
	for _, c := range []struct {
		name, addr string
		from       *Attachment
	}{
		{"its address", fmt.Sprintf("[%s]:80", a.Address6), other},
		{"the node by the gateway", fmt.Sprintf("[%s]:%d", a.Gateway6, port), nil},
		{"the node by loopback", fmt.Sprintf("[::1]:%d", port), nil},
		{"the node by loopback only", "[::1]:8082", nil},
		{"another instance", fmt.Sprintf("[%s]:%d", a.Gateway6, port), other},
		{"the instance itself", fmt.Sprintf("[%s]:%d", a.Gateway6, port), web},
	} {
		var ns *os.File
		if c.from != nil {
			ns = c.from.Sandbox.NetNS
		}
		got, err := fetch(ns, c.addr, patience)
		if err != nil || !strings.HasPrefix(got, "web ") {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
	// A restart has the same port at once, whatever is left of connections.
	r.Ports[0].HostPort, r.Keep = port, web.Addresses
	web.Close()
	web = attach(t, f, r)
	listen6(t, web, "web")
	if got, err := fetch(outside, fmt.Sprintf("[2001:db8::1]:%d", port), patience); err != nil || got != "web 2001:db8::2" {
		t.Errorf("from outside: %q, %v", got, err)
	}
	if got, err := fetch(outside, fmt.Sprintf("[%s]:80", a.Address6), 300*time.Millisecond); err == nil {
		t.Errorf("outside reached an instance unasked: %q", got)
	}
	listenAt(t, outside, "tcp6", "[::]:81", "outside")
	if got, err := fetch(other.Sandbox.NetNS, "[2001:db8::2]:81", patience); err != nil || got != "outside 2001:db8::1" {
		t.Errorf("way out: %q, %v", got, err)
	}
}

func listen6(t testing.TB, a *Attachment, word string) {
	listenAt(t, a.Sandbox.NetNS, "tcp6", "[::]:80", word)
}

func TestIPv6AddressIsKept(t *testing.T) {
	f := newFabric(t, Config{Subnet: dual().Spec.Subnet, Networks: []api.Network{dual()}})
	r := request("web")
	a := attach(t, f, r)
	want := a.Addresses[0]
	waitReady(t, f)
	r.Keep = a.Addresses
	a.Close()
	a = attach(t, f, r) // a ready place gets the addresses
	if got := a.Addresses[0]; got.Address != want.Address || got.Address6 != want.Address6 {
		t.Fatalf("addresses %+v, want %+v", got, want)
	}
	inside, err := link.Open(a.Sandbox.NetNS)
	if err != nil {
		t.Fatal(err)
	}
	defer inside.Close()
	have, err := inside.Addresses(0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, p := range have {
		if p.Addr() == want.Address6 || p.Addr() == want.Address {
			n++
		} else if !p.Addr().IsLinkLocalUnicast() && !p.Addr().IsLoopback() {
			t.Errorf("address %s is left", p)
		}
	}
	if n != 2 {
		t.Errorf("addresses inside: %v", have)
	}
}

func TestStaticIPv6Address(t *testing.T) {
	f := newFabric(t, Config{Subnet: dual().Spec.Subnet, Networks: []api.Network{dual()}})
	static := func(name, address6 string) Request {
		r := request(name)
		r.Networks = []api.Attachment{{Network: "default", Address6: address6}}
		return r
	}
	a := attach(t, f, static("a", "fd12:3456:789a::a"))
	if got := a.Addresses[0].Address6.String(); got != "fd12:3456:789a::a" {
		t.Errorf("got %s", got)
	}
	for _, c := range []struct {
		address string
		want    api.Code
	}{
		{"fd12:3456:789a::a", api.CodeConflict},
		{"fd12:3456:789a::1", api.CodeConflict},
		{"fd12:3456:789a::10.90.3.4", api.CodeInvalid},
		{"fd13::1", api.CodeInvalid},
		{"10.90.0.9", api.CodeInvalid},
	} {
		if _, err := f.Attach(context.Background(), static("b", c.address)); api.CodeOf(err) != c.want {
			t.Errorf("%s: %v", c.address, err)
		}
	}
	if err := f.Detach(context.Background(), "ida"); err != nil {
		t.Fatal(err)
	}
	attach(t, f, static("b", "fd12:3456:789a::a"))
}
