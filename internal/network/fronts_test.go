package network

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/dns"
	"github.com/virga-cloud/virga/internal/linux/link"
	"github.com/virga-cloud/virga/internal/linux/namespace"
	"github.com/virga-cloud/virga/internal/linux/nft"
)

// aFront is a service of tcp port 80 in both families, in front of instances
// and at a port of the node.
func aFront(f *Fabric, id, network, addr string, nodePort uint16, backends ...*Attachment) Front {
	w := Front{Service: id, Name: id, Project: "default", Network: network, Addr: netip.MustParseAddr(addr), Names: []dns.Port{{Name: "tcp", Protocol: "tcp", Number: 80}}}
	w.Addr6 = f.Address6(w.Project, network, w.Addr)
	for _, a := range w.addrs() {
		b := nft.Balanced{Protocol: unix.IPPROTO_TCP, At: netip.AddrPortFrom(a, 80)}
		anywhere := netip.IPv4Unspecified()
		for _, to := range backends {
			at := to.Addresses[0].Address
			if a.Is6() {
				at, anywhere = to.Addresses[0].Address6, netip.IPv6Unspecified()
			}
			b.Targets = append(b.Targets, nft.Target{To: netip.AddrPortFrom(at, 80), Weight: 1})
		}
		w.Balanced = append(w.Balanced, b)
		if nodePort != 0 {
			b.At = netip.AddrPortFrom(anywhere, nodePort)
			w.Balanced = append(w.Balanced, b)
		}
	}
	return w
}

func setFronts(t *testing.T, f *Fabric, want ...Front) {
	t.Helper()
	if problems, err := f.SetFronts(want); err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
}

// both waits until both backends have answered at an address.
func both(t *testing.T, ns *os.File, at string) {
	t.Helper()
	seen := map[string]bool{}
	eventually(t, "both backends answer at "+at, func() bool {
		got, err := fetch(ns, at, patience)
		word, _, _ := strings.Cut(got, " ")
		if err != nil || word != "a" && word != "b" {
			t.Fatalf("%s: %q, %v", at, got, err)
		}
		seen[word] = true
		return len(seen) == 2
	})
}

func TestServiceInBothFamilies(t *testing.T) {
	f := newFabric(t, Config{Subnet: dual().Spec.Subnet, Networks: []api.Network{dual()}})
	if !f.config.ipv6 {
		t.Skip("the kernel has no IPv6")
	}
	a, b, client := attach(t, f, request("a")), attach(t, f, request("b")), attach(t, f, request("client"))
	for word, i := range map[string]*Attachment{"a": a, "b": b} {
		listen(t, i.Sandbox.NetNS, ":80", word)
		listen6(t, i, word)
	}
	outside := outsider(t)
	outside6(t, outside)
	setFronts(t, f, aFront(f, "web", "default", "10.90.255.254", 8090, a, b))
	t.Cleanup(func() { f.SetFronts(nil) })
	const vip4, vip6 = "10.90.255.254", "fd12:3456:789a::10.90.255.254"
	inside := client.Sandbox.NetNS
	for _, at := range []string{vip4 + ":80", "[" + vip6 + "]:80"} {
		both(t, inside, at)
		both(t, nil, at)
		both(t, a.Sandbox.NetNS, at) // itself too
	}
	for _, at := range []string{"192.0.2.1:8090", "[2001:db8::1]:8090"} {
		both(t, outside, at)
	}
	for _, at := range []string{"127.0.0.1:8090", "[::1]:8090", "[fd12:3456:789a::1]:8090"} {
		both(t, nil, at)
	}
	// The client's address is kept, and the node does not speak as the service.
	if got, err := fetch(outside, "[2001:db8::1]:8090", patience); err != nil || !strings.HasSuffix(got, " 2001:db8::2") {
		t.Errorf("from outside: %q, %v", got, err)
	}
	for _, i := range []*Attachment{a, b} {
		if got, err := fetch(nil, fmt.Sprintf("[%s]:80", i.Addresses[0].Address6), patience); err != nil || !strings.HasSuffix(got, " fd12:3456:789a::1") {
			t.Errorf("from the node: %q, %v; want the gateway's address", got, err)
		}
	}
	// Nobody outside has the address itself.
	if got, err := fetch(outside, "["+vip6+"]:80", 300*time.Millisecond); err == nil {
		t.Errorf("outside reached the service's own address: %q", got)
	}
	pings6(t, inside, vip6)
	names := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (c net.Conn, err error) {
		err = namespace.In(inside, func() error {
			c, err = (&net.Dialer{}).DialContext(ctx, network, "10.90.0.1:53")
			return err
		})
		return c, err
	}}
	got, err := names.LookupNetIP(t.Context(), "ip6", "web.default.virga.internal.")
	if err != nil || len(got) != 1 || got[0] != netip.MustParseAddr(vip6) {
		t.Errorf("AAAA records %v, %v", got, err)
	}
	// What is led to an instance goes on when its share ends.
	setFronts(t, f, aFront(f, "web", "default", vip4, 8090, b))
	for range 10 {
		if got, err := fetch(inside, "["+vip6+"]:80", patience); err != nil || !strings.HasPrefix(got, "b ") {
			t.Errorf("after a has left: %q, %v", got, err)
		}
	}
	setFronts(t, f)
	if got, err := fetch(inside, "["+vip6+"]:80", 300*time.Millisecond); err == nil {
		t.Errorf("a service that is gone answers %q", got)
	}
	if left := frontsOn(t, f); len(left) != 0 {
		t.Errorf("addresses left: %v", left)
	}
}

// A later daemon takes away what is not wanted any more, in both families.
func TestServicesOfAnEarlierDaemonAreSwept(t *testing.T) {
	f := newFabric(t, Config{Subnet: dual().Spec.Subnet, Networks: []api.Network{dual()}})
	seg := f.segments[api.NetworkDefault]
	old := netip.MustParseAddr("10.90.255.253")
	if err := f.conn.Do(link.AddServiceAddress(seg.index, old), link.AddServiceAddress(seg.index, seg.addr6(old))); err != nil {
		t.Fatal(err)
	}
	setFronts(t, f, aFront(f, "web", "default", "10.90.255.254", 0))
	t.Cleanup(func() { f.SetFronts(nil) })
	if got := fmt.Sprint(frontsOn(t, f)); got != "[10.90.255.254/32 fd12:3456:789a::a5a:fffe/128]" {
		t.Errorf("addresses %s", got)
	}
}

// The service of an internal network is for that network, by IPv6 too.
func TestServiceOfAnInternalNetwork(t *testing.T) {
	f := newFabric(t, Config{Subnet: dual().Spec.Subnet, Networks: []api.Network{dual()}})
	if err := f.Set(context.Background(), []api.Network{dual(), network("back", api.NetworkSpec{Internal: true, Policy: api.RuleAllow,
		Subnet: netip.MustParsePrefix("10.44.0.0/24"), Subnet6: netip.MustParsePrefix("fd44::/64")})}); err != nil {
		t.Fatal(err)
	}
	w := Front{Service: "in", Name: "in", Project: "default", Network: "back", Addr: netip.MustParseAddr("10.44.0.200")}
	w.Addr6 = f.Address6("default", "back", w.Addr)
	setFronts(t, f, w)
	t.Cleanup(func() { f.SetFronts(nil) })
	// As the proxy does: it listens at the address.
	listenAt(t, nil, "tcp6", "["+w.Addr6.String()+"]:80", "proxy")
	member, other := attach(t, f, on("member", "back")), attach(t, f, on("other", "default"))
	at := "[fd44::10.44.0.200]:80"
	if got, err := fetch(member.Sandbox.NetNS, at, patience); err != nil || !strings.HasPrefix(got, "proxy ") {
		t.Errorf("from its network: %q, %v", got, err)
	}
	if got, err := fetch(other.Sandbox.NetNS, at, 300*time.Millisecond); err == nil {
		t.Errorf("from another network: %q", got)
	}
}

// frontsOn are the services' addresses on the default network's bridge.
func frontsOn(t *testing.T, f *Fabric) (out []netip.Prefix) {
	t.Helper()
	have, err := f.conn.Addresses(f.segments[api.NetworkDefault].index)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range have {
		if isFront(p) {
			out = append(out, p)
		}
	}
	return out
}

// pings6 sends echo requests until one is answered.
func pings6(t *testing.T, ns *os.File, to string) {
	t.Helper()
	err := namespace.In(ns, func() error {
		fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMPV6)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: int64(patience / time.Second)}); err != nil {
			return err
		}
		if err := unix.Sendto(fd, []byte{128, 0, 0, 0, 0, 0, 0, 1, 'x'}, 0, &unix.SockaddrInet6{Addr: netip.MustParseAddr(to).As16()}); err != nil {
			return err
		}
		_, _, err = unix.Recvfrom(fd, make([]byte, 64), 0)
		return err
	})
	if err != nil {
		t.Errorf("ping %s: %v", to, err)
	}
}
