package network

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"github.com/virga-cloud/virga/api"
)

// A hardware address is one instance's on its network, for as long as it is
// there, and none is had that goes with another's address or is the gateway's.
func TestAskedHardwareAddress(t *testing.T) {
	ctx := context.Background()
	f := newFabric(t, Config{Subnet: dual().Spec.Subnet, Networks: []api.Network{dual(), network("lan", api.NetworkSpec{})}})
	gateway := f.segments[api.NetworkDefault].gateway
	asks := func(name, network, mac string) Request {
		r := request(name)
		r.Networks = []api.Attachment{{Network: network, MAC: mac}}
		return r
	}
	const mine = "02:11:22:33:44:55"
	mustRefuse := func(r Request, want api.Code) {
		t.Helper()
		if a, err := f.Attach(ctx, r); api.CodeOf(err) != want {
			t.Errorf("%+v: %+v, %v; want %s", r.Networks, a, err, want)
		}
	}
	r := asks("a", "default", mine)
	a := attach(t, f, r)
	attach(t, f, asks("elsewhere", "lan", mine))
	mustRefuse(asks("b", "default", mine), api.CodeConflict)
	for _, mac := range []net.HardwareAddr{outsideMAC(gateway), outsideMAC(a.Addresses[0].Address), insideMAC(gateway.Next().Next())} {
		mustRefuse(asks("b", "default", mac.String()), api.CodeInvalid)
	}
	free := netip.MustParseAddr("10.90.3.4")
	own := asks("own", "default", insideMAC(free).String())
	own.Networks[0].Address = free.String()
	attach(t, f, own)

	// A change that is refused keeps what the instance has and frees what it has not.
	r.PID = inside(t, a).Pid
	r.Networks = append(r.Networks, api.Attachment{Network: "lan", MAC: mine})
	if _, err := f.Reconnect(ctx, r); api.CodeOf(err) != api.CodeConflict {
		t.Errorf("connected with a hardware address that is taken: %v", err)
	}
	mustRefuse(asks("b", "default", mine), api.CodeConflict)
	r.Networks[1].MAC = "02:11:22:33:44:66"
	if _, err := f.Reconnect(ctx, r); err != nil {
		t.Fatal(err)
	}
	mustRefuse(asks("b", "lan", "02:11:22:33:44:66"), api.CodeConflict)
	r.Networks = r.Networks[:1]
	if _, err := f.Reconnect(ctx, r); err != nil {
		t.Fatal(err)
	}
	attach(t, f, asks("b", "lan", "02:11:22:33:44:66"))

	// A daemon that finds the instance running knows it too.
	f.mu.Lock()
	clear(f.asked)
	f.mu.Unlock()
	if err := f.Adopt(ctx, r, a.Addresses, nil); err != nil {
		t.Fatal(err)
	}
	mustRefuse(asks("c", "default", mine), api.CodeConflict)
	if err := f.Detach(ctx, r.Instance); err != nil {
		t.Fatal(err)
	}
	attach(t, f, asks("c", "default", mine))
}
