package network

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

func network(name string, spec api.NetworkSpec) api.Network {
	return api.Network{Meta: api.Meta{Name: name, Project: "default"}, Spec: spec}
}

// on is a request for an instance on networks.
func on(name string, networks ...string) Request {
	r := request(name)
	for _, n := range networks {
		r.Networks = append(r.Networks, api.Attachment{Network: n})
	}
	return r
}

// TestWalls checks who reaches whom: the same network yes, others no, internal
// ones only themselves, isolated ones not even that.
func TestWalls(t *testing.T) {
	f := newFabric(t, Config{})
	ctx := context.Background()
	if err := f.Set(ctx, []api.Network{
		network("front", api.NetworkSpec{}),
		network("back", api.NetworkSpec{Internal: true, Subnet: netip.MustParsePrefix("10.44.0.0/24")}),
		network("lonely", api.NetworkSpec{Isolated: true}),
	}); err != nil {
		t.Fatal(err)
	}
	outside := outsider(t)
	listen(t, outside, ":80", "outside")
	inst := map[string]*Attachment{
		"web":    attach(t, f, on("web", "front", "back")),
		"web2":   attach(t, f, on("web2", "front")),
		"db":     attach(t, f, on("db", "back")),
		"alone":  attach(t, f, on("alone", "lonely")),
		"alone2": attach(t, f, on("alone2", "lonely")),
		"plain":  attach(t, f, on("plain", "default")),
	}
	for name, a := range inst {
		listen(t, a.Sandbox.NetNS, ":80", name)
	}
	if n := len(inst["web"].Addresses); n != 2 {
		t.Fatalf("web has %d addresses", n)
	}
	addr := func(name string, i int) string { return inst[name].Addresses[i].Address.String() + ":80" }
	for _, c := range []struct {
		from, what, to string
		want           bool
	}{
		{"web2", "web on front", addr("web", 0), true},
		{"web", "web2", addr("web2", 0), true},
		{"web", "db on back", addr("db", 0), true},
		{"db", "web on back", addr("web", 1), true},
		{"db", "web on front", addr("web", 0), false},
		{"db", "outside", "192.0.2.2:80", false},
		{"web2", "db", addr("db", 0), false},
		{"plain", "web2", addr("web2", 0), false},
		{"plain", "outside", "192.0.2.2:80", true},
		{"web", "outside", "192.0.2.2:80", true},
		{"alone", "alone2", addr("alone2", 0), false},
		{"alone", "outside", "192.0.2.2:80", true},
	} {
		limit := patience
		if !c.want {
			limit = 300 * time.Millisecond
		}
		got, err := fetch(inst[c.from].Sandbox.NetNS, c.to, limit)
		if (err == nil) != c.want {
			t.Errorf("%s to %s: %q, %v", c.from, c.what, got, err)
		}
	}
	// The outside machine routes to the instances by the node.
	if got, err := fetch(outside, addr("plain", 0), 300*time.Millisecond); err == nil {
		t.Errorf("outside reached an instance unasked: %q", got)
	}
}

func TestSetIsDeclarative(t *testing.T) {
	f := newFabric(t, Config{})
	ctx := context.Background()
	front, back := network("front", api.NetworkSpec{}), network("back", api.NetworkSpec{Internal: true})
	bridges := func() (n int) {
		all, err := f.Resources(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range all {
			if r.Kind == kindBridge {
				n++
			}
		}
		return n
	}
	for range 2 {
		if err := f.Set(ctx, []api.Network{front, back}); err != nil {
			t.Fatal(err)
		}
		if n := bridges(); n != 3 {
			t.Fatalf("%d bridges, want 3", n)
		}
	}
	a := attach(t, f, on("a", "front"))
	if err := f.Set(ctx, []api.Network{front}); err != nil {
		t.Fatal(err)
	}
	if n := bridges(); n != 2 {
		t.Errorf("%d bridges, want 2", n)
	}
	if err := f.Set(ctx, nil); err != nil {
		t.Fatal(err)
	}
	if n := bridges(); n != 2 {
		t.Errorf("%d bridges, want 2: front has an instance", n)
	}
	front.Spec.Internal = true
	if err := f.Set(ctx, []api.Network{front}); api.CodeOf(err) != api.CodeConflict {
		t.Errorf("change of a network with an instance: %v", err)
	}
	a.Close()
	if err := f.Detach(ctx, "ida"); err != nil {
		t.Fatal(err)
	}
	if err := f.Set(ctx, nil); err != nil {
		t.Fatal(err)
	}
	if n := bridges(); n != 1 {
		t.Errorf("%d bridges, want 1", n)
	}
	for _, bad := range []api.NetworkSpec{
		{Subnet: netip.MustParsePrefix("10.90.3.0/24")},
		{Subnet: netip.MustParsePrefix("10.44.0.0/31")},
		{Subnet: netip.MustParsePrefix("10.44.0.0/24"), Gateway: netip.MustParseAddr("10.45.0.1")},
	} {
		if err := f.Set(ctx, []api.Network{network("bad", bad)}); api.CodeOf(err) != api.CodeInvalid && api.CodeOf(err) != api.CodeConflict {
			t.Errorf("%v: %v", bad, err)
		}
	}
}
