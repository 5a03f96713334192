package network

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/linux/nft"
)

func rule(id string, action api.RuleAction, from, to string, port uint16, protocol string) api.Rule {
	return api.Rule{Meta: api.Meta{ID: id, Project: "default"},
		Spec: api.RuleSpec{Action: action, From: from, To: to, Port: port, Protocol: protocol}}
}

func TestPolicyOf(t *testing.T) {
	ip := netip.MustParseAddr
	s := &segment{name: "back"}
	members := []*member{
		{instance: "1", name: "web-2", project: "default", group: "web", ports: []port{{segment: s, addr: ip("10.0.0.3")}}},
		{instance: "2", name: "web-1", project: "default", group: "web", ports: []port{{segment: s, addr: ip("10.0.0.2"), addr6: ip("fd00::2")}}},
		{instance: "3", name: "db", labels: map[string]string{"tier": "store"}, ports: []port{{segment: s, addr: ip("10.0.0.4")}}},
		{instance: "4", name: "db", project: "shop", ports: []port{{segment: s, addr: ip("10.9.0.4")}}},
	}
	got := policyOf([]api.Rule{
		rule("r2", api.RuleDeny, "*", "tier=store", 0, ""),
		rule("r1", api.RuleAllow, "web", "db", 5432, "tcp"),
		rule("r3", api.RuleAllow, "nobody", "tier=front", 53, "udp"),
	}, members)
	want := nft.Policy{Rules: []nft.PolicyRule{
		{ID: "r1", Allow: true, From: []netip.Addr{ip("10.0.0.2"), ip("10.0.0.3"), ip("fd00::2")}, To: []netip.Addr{ip("10.0.0.4")}, Protocol: 6, Port: 5432},
		{ID: "r2", From: []netip.Addr{ip("10.0.0.2"), ip("10.0.0.3"), ip("10.0.0.4"), ip("fd00::2")}, To: []netip.Addr{ip("10.0.0.4")}},
		{ID: "r3", Allow: true, Protocol: 17, Port: 53},
	}}
	if d := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); d != "" {
		t.Error(d)
	}
}

// TestRules checks who may connect to whom on a network that denies and on one
// that allows, with and without rules.
func TestRules(t *testing.T) {
	f := newFabric(t, Config{})
	ctx := context.Background()
	if err := f.Set(ctx, []api.Network{
		network("back", api.NetworkSpec{Internal: true, Policy: api.RuleDeny, Subnet6: netip.MustParsePrefix("fd12:1::/64")}),
		network("front", api.NetworkSpec{Subnet6: netip.MustParsePrefix("fd12:2::/64")}),
	}); err != nil {
		t.Fatal(err)
	}
	if err := f.SetRules(ctx, nil); err != nil {
		t.Fatal(err)
	}
	at := map[string]*Attachment{
		"db": attach(t, f, on("db", "back")), "web": attach(t, f, on("web", "back", "front")), "api": attach(t, f, on("api", "front")),
	}
	for name, a := range at {
		listen(t, a.Sandbox.NetNS, ":80", name)
		listen(t, a.Sandbox.NetNS, ":81", name)
		listen6(t, a, name)
	}
	check := func(what, from, to string, want bool) {
		t.Helper()
		limit := patience
		if !want {
			limit = 300 * time.Millisecond
		}
		if got, err := fetch(at[from].Sandbox.NetNS, to, limit); (err == nil) != want {
			t.Errorf("%s: %s to %s: %q, %v", what, from, to, got, err)
		}
	}
	on4 := func(name string, i int, port string) string { return at[name].Addresses[i].Address.String() + port }
	on6 := func(name string, i int) string { return "[" + at[name].Addresses[i].Address6.String() + "]:80" }
	check("no rule", "web", on4("db", 0, ":80"), false)
	check("no rule", "web", on6("db", 0), false)
	check("no rule", "api", on4("web", 1, ":80"), true)

	rules := []api.Rule{rule("r1", api.RuleAllow, "web", "db", 80, "tcp"), rule("r2", api.RuleDeny, "api", "web", 0, "")}
	for range 2 {
		if err := f.SetRules(ctx, rules); err != nil {
			t.Fatal(err)
		}
	}
	check("allowed", "web", on4("db", 0, ":80"), true)
	check("allowed", "web", on6("db", 0), true)
	check("another port", "web", on4("db", 0, ":81"), false)
	check("the other way", "db", on4("web", 0, ":80"), false)
	check("denied", "api", on4("web", 1, ":80"), false)
	check("denied", "api", on6("web", 1), false)
	check("the other way", "web", on4("api", 0, ":80"), true)
	counts, err := f.RuleCounts()
	if err != nil {
		t.Fatal(err)
	}
	if counts["r1"].Packets < 2 || counts["r2"].Packets < 2 || counts[nft.DefaultDeny].Packets < 2 {
		t.Errorf("counts %+v", counts)
	}
	// An instance that comes later is meant too, and counters go on.
	late := on("late", "back")
	late.Labels = map[string]string{"tier": "front"}
	rules = append(rules, rule("r3", api.RuleAllow, "tier=front", "db", 80, "tcp"))
	if err := f.SetRules(ctx, rules); err != nil {
		t.Fatal(err)
	}
	at["late"] = attach(t, f, late)
	check("by label", "late", on4("db", 0, ":80"), true)
	if now, err := f.RuleCounts(); err != nil || now["r1"].Packets < counts["r1"].Packets {
		t.Errorf("counts %+v were %+v, %v", now, counts, err)
	}
	if err := f.policy.Delete(); err != nil {
		t.Fatal(err)
	}
	if err := f.SetRules(ctx, nil); err != nil {
		t.Fatal(err)
	}
	check("no rule again", "web", on4("db", 0, ":80"), false)
	check("no rule again", "api", on4("web", 1, ":80"), true)
}
