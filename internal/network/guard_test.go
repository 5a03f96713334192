package network

import (
	"context"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/linux/link"
)

// TestGuard lets an instance take its neighbour's addresses, which it can say
// but not use.
func TestGuard(t *testing.T) {
	f := newFabric(t, Config{})
	ctx := context.Background()
	if err := f.Set(ctx, []api.Network{network("back", api.NetworkSpec{Subnet6: netip.MustParsePrefix("fd12:7::/64")})}); err != nil {
		t.Fatal(err)
	}
	a, b, c := attach(t, f, on("a", "back")), attach(t, f, on("b", "back")), attach(t, f, on("c", "back"))
	listen(t, c.Sandbox.NetNS, ":80", "c")
	listen6(t, c, "c")
	c4 := c.Addresses[0].Address.String() + ":80"
	c6 := "[" + c.Addresses[0].Address6.String() + "]:80"
	for _, to := range []string{c4, c6} {
		if got, err := fetch(a.Sandbox.NetNS, to, patience); err != nil || !strings.HasPrefix(got, "c ") {
			t.Fatalf("%s: %q, %v", to, got, err)
		}
	}
	if s, err := f.Stats(ctx, "ida"); err != nil || s.Spoofed != 0 {
		t.Fatalf("%d honest packets are called spoofed, %v", s.Spoofed, err)
	}
	become(t, a.Sandbox.NetNS, b.Addresses[0])
	for _, to := range []string{c4, c6} {
		if got, err := fetch(a.Sandbox.NetNS, to, 300*time.Millisecond); err == nil {
			t.Errorf("%s answered %q to a sender that is not its address", to, got)
		}
	}
	if s, err := f.Stats(ctx, "ida"); err != nil || s.Spoofed == 0 {
		t.Errorf("%d packets counted, %v", s.Spoofed, err)
	}
	if got, err := fetch(b.Sandbox.NetNS, c4, patience); err != nil || !strings.HasPrefix(got, "c ") {
		t.Errorf("the honest neighbour: %q, %v", got, err)
	}
}

// become gives eth0 of a namespace the addresses of another instance in the
// place of its own.
func become(t *testing.T, ns *os.File, other api.AddressOn) {
	t.Helper()
	inside, err := link.Open(ns)
	if err != nil {
		t.Fatal(err)
	}
	defer inside.Close()
	l, err := inside.ByName("eth0")
	if err != nil {
		t.Fatal(err)
	}
	have, err := inside.Addresses(l.Index)
	if err != nil {
		t.Fatal(err)
	}
	var reqs []link.Request
	for _, p := range have {
		if !p.Addr().IsLinkLocalUnicast() {
			reqs = append(reqs, link.DeleteAddress(l.Index, p))
		}
	}
	reqs = append(reqs, link.AddAddress(l.Index, netip.PrefixFrom(other.Address, other.Prefix)),
		link.AddAddress(l.Index, netip.PrefixFrom(other.Address6, other.Prefix6)))
	if err := inside.Do(reqs...); err != nil {
		t.Fatal(err)
	}
}

// TestGuardForgetsWhatIsGone makes sure that no element outlives its link.
func TestGuardForgetsWhatIsGone(t *testing.T) {
	f := newFabric(t, Config{Ready: -1})
	ctx := context.Background()
	a, err := f.Attach(ctx, request("gone"))
	if err != nil {
		t.Fatal(err)
	}
	if n := f.guard.Links(); n != 1 {
		t.Fatalf("%d links are guarded", n)
	}
	if err := f.Detach(ctx, "idgone"); err != nil {
		t.Fatal(err)
	}
	if err := f.sweepGuard(); err != nil || f.guard.Links() != 1 {
		t.Fatalf("a link that is there is not guarded: %v", err)
	}
	a.Close()
	for deadline := time.Now().Add(patience); f.guard.Links() != 0; time.Sleep(10 * time.Millisecond) {
		if err := f.sweepGuard(); err != nil || time.Now().After(deadline) {
			t.Fatalf("%d links are guarded still, %v", f.guard.Links(), err)
		}
	}
}
