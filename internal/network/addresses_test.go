package network

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"github.com/virga-cloud/virga/api"
)

// TestAddressesNeverGivesTwice runs random calls against a plain set.
func TestAddressesNeverGivesTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.IntRange(26, 30).Draw(t, "bits")
		subnet := netip.PrefixFrom(netip.MustParseAddr("10.1.2.0"), bits)
		gateway := subnet.Addr().Next()
		a := newAddresses(subnet)
		if !a.claim(gateway) {
			t.Fatal("gateway cannot be claimed")
		}
		room := 1<<(32-bits) - 3
		out := map[netip.Addr]bool{}
		var order []netip.Addr
		for range rapid.IntRange(1, 200).Draw(t, "calls") {
			switch rapid.IntRange(0, 2).Draw(t, "call") {
			case 0:
				ip, err := a.take()
				if len(out) == room {
					if api.CodeOf(err) != api.CodeInsufficientCapacity {
						t.Fatalf("full subnet: %v, %v", ip, err)
					}
					continue
				}
				if err != nil || out[ip] || ip == gateway || !a.holds(ip) {
					t.Fatalf("took %v, %v", ip, err)
				}
				out[ip], order = true, append(order, ip)
			case 1:
				ip := address(number(subnet.Addr()) + uint32(rapid.IntRange(0, 1<<(32-bits)).Draw(t, "offset")))
				if got, want := a.claim(ip), a.holds(ip) && !out[ip] && ip != gateway; got != want {
					t.Fatalf("claim %s: %v, want %v", ip, got, want)
				} else if got {
					out[ip], order = true, append(order, ip)
				}
			case 2:
				if len(order) > 0 {
					a.free(order[0])
					delete(out, order[0])
					order = order[1:]
				}
			}
		}
	})
}

func TestFreedAddressComesLast(t *testing.T) {
	a := newAddresses(netip.MustParsePrefix("10.1.2.0/29"))
	first, err := a.take()
	if err != nil {
		t.Fatal(err)
	}
	a.free(first)
	for range 5 {
		ip, err := a.take()
		if err != nil || ip == first {
			t.Fatalf("took %v, %v", ip, err)
		}
	}
	if ip, err := a.take(); err != nil || ip != first {
		t.Errorf("last is %v, %v", ip, err)
	}
}

func TestFreeSubnet(t *testing.T) {
	pool := netip.MustParsePrefix("10.0.0.0/8")
	taken := []netip.Prefix{netip.MustParsePrefix("10.90.1.0/24"), netip.MustParsePrefix("10.91.0.0/16")}
	got, err := freeSubnet(pool, 16, netip.MustParseAddr("10.90.0.0"), taken)
	if err != nil || got.String() != "10.92.0.0/16" {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := freeSubnet(pool, 16, netip.Addr{}, []netip.Prefix{pool}); api.CodeOf(err) != api.CodeInsufficientCapacity {
		t.Errorf("full pool: %v, %v", got, err)
	}
}

func TestIDRangesAreUnique(t *testing.T) {
	r, err := newIDRanges()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[uint32]bool{}
	for range 1000 {
		base, err := r.take()
		if err != nil || seen[base] || base < idBase || base > 0xfffe0000 || base%65536 != 0 {
			t.Fatalf("took %#x, %v", base, err)
		}
		seen[base] = true
	}
}

func TestBridgeNameFits(t *testing.T) {
	for _, key := range []string{"default", "default/a", "another-project/with-a-long-name-of-its-own"} {
		name := bridgeName("virga", key)
		if len(name) > 15 || !isBridge("virga", name) || isBridge("virgb", name) {
			t.Errorf("bridge %q of %q", name, key)
		}
	}
	if isBridge("virga", "virga1") || isBridge("virga", "virga-x") {
		t.Error("another's bridge is taken for virga's")
	}
}
