package network

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

func TestReconnect(t *testing.T) {
	f := newFabric(t, Config{Subnet: dual().Spec.Subnet, Networks: []api.Network{dual()}})
	ctx := context.Background()
	if err := f.Set(ctx, []api.Network{dual(),
		network("front", api.NetworkSpec{Subnet6: netip.MustParsePrefix("fd12:3456:789a:1::/64")}),
		network("back", api.NetworkSpec{Internal: true}),
	}); err != nil {
		t.Fatal(err)
	}
	r := request("web")
	r.Ports = []api.Port{{Port: 80}}
	web, db := attach(t, f, r), attach(t, f, on("db", "back"))
	r.PID = inside(t, web).Pid
	listen(t, web.Sandbox.NetNS, ":80", "web")
	listen6(t, web, "web")
	listen(t, db.Sandbox.NetNS, ":80", "db")
	published := fmt.Sprintf("127.0.0.1:%d", web.Ports[0].HostPort)
	dbAddr := db.Addresses[0].Address.String() + ":80"
	reconnect := func(networks ...string) ([]api.AddressOn, error) {
		t.Helper()
		r.Networks = on("", networks...).Networks
		a, err := f.Reconnect(ctx, r)
		if a == nil {
			return nil, err
		}
		return a.Addresses, err
	}
	if _, err := fetch(web.Sandbox.NetNS, dbAddr, 300*time.Millisecond); err == nil {
		t.Fatal("db is reached before")
	}
	got, err := reconnect("default", "back", "front")
	if err != nil || len(got) != 3 || got[0].Address != web.Addresses[0].Address {
		t.Fatalf("connected: %+v, %v", got, err)
	}
	if again, err := reconnect("default", "back", "front"); err != nil || fmt.Sprint(again) != fmt.Sprint(got) {
		t.Errorf("again: %+v, %v", again, err)
	}
	if s, err := fetch(web.Sandbox.NetNS, dbAddr, patience); err != nil {
		t.Errorf("db after connect: %q, %v", s, err)
	}
	front := attach(t, f, on("other", "front"))
	if s, err := fetch(front.Sandbox.NetNS, fmt.Sprintf("[%s]:80", got[2].Address6), patience); err != nil {
		t.Errorf("by IPv6 on front: %q, %v", s, err)
	}
	// The published port follows to the next network that has a way in.
	if got, err = reconnect("back", "front"); err != nil || len(got) != 2 {
		t.Fatalf("disconnected: %+v, %v", got, err)
	}
	if s, err := fetch(nil, published, patience); err != nil {
		t.Errorf("published port: %q, %v", s, err)
	}
	if s, err := fetch(nil, web.Addresses[0].Address.String()+":80", 300*time.Millisecond); err == nil {
		t.Errorf("old address answers: %q", s)
	}
	if _, err := reconnect("back"); api.CodeOf(err) != api.CodeConflict {
		t.Errorf("ports without a way in: %v", err)
	}
	if _, err := reconnect("back", "front", "nowhere"); api.CodeOf(err) != api.CodeNotFound {
		t.Errorf("missing network: %v", err)
	}
	taken := request("web")
	taken.PID, taken.Networks = r.PID, []api.Attachment{{Network: "back"}, {Network: "front"},
		{Network: "default", Address: front.Addresses[0].Gateway.String()}}
	if _, err := f.Reconnect(ctx, taken); api.CodeOf(err) != api.CodeInvalid {
		t.Errorf("bad address: %v", err)
	}
	if m := f.members["idweb"]; len(m.ports) != 2 || m.ports[0].index != 1 || m.ports[1].index != 2 {
		t.Errorf("ports %+v", m.ports)
	}
}
