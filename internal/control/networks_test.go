package control

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/store"
)

// newNetworks is a node whose default network is 10.88.0.0/16 and that has a
// route to 192.168.7.0/24.
func newNetworks(t *testing.T) *Networks {
	t.Helper()
	n := &Networks{Store: store.Memory(), Routes: func() ([]netip.Prefix, error) {
		return []netip.Prefix{netip.MustParsePrefix("192.168.7.0/24"), netip.MustParsePrefix("172.30.0.0/24")}, nil
	}}
	for range 2 {
		if err := n.Default(t.Context(), netip.MustParsePrefix("10.88.0.0/16")); err != nil {
			t.Fatal(err)
		}
	}
	if all := n.Store.Networks.Views(); len(all) != 1 {
		t.Fatalf("%d default networks", len(all))
	}
	return n
}

func prefix(s string) (p netip.Prefix) {
	if s != "" {
		p = netip.MustParsePrefix(s)
	}
	return p
}

func addr(s string) (a netip.Addr) {
	if s != "" {
		a = netip.MustParseAddr(s)
	}
	return a
}

func TestNetworkIsCompleted(t *testing.T) {
	n := newNetworks(t)
	var own netip.Prefix
	for i, want := range []string{"172.30.16.0/20", "172.30.32.0/20"} {
		got, made, err := n.Create(t.Context(), "default", api.NetworkRequest{Name: "net" + string(rune('a'+i))})
		if err != nil || !made {
			t.Fatal(made, err)
		}
		s := got.Spec
		if s.Subnet.String() != want || s.Gateway != s.Subnet.Addr().Next() || s.MTU != 1500 {
			t.Errorf("completed to %+v", s)
		}
		if s.Subnet6.Bits() != 64 || s.Gateway6 != s.Subnet6.Addr().Next() || !s.Subnet6.Addr().IsPrivate() {
			t.Errorf("IPv6 is %s, %s", s.Subnet6, s.Gateway6)
		}
		p, _ := s.Subnet6.Addr().Prefix(48)
		if own.IsValid() && own != p {
			t.Errorf("%s is of another node than %s", p, own)
		}
		own = p
	}
}

func TestNetworkIsRefused(t *testing.T) {
	n := newNetworks(t)
	if _, _, err := n.Create(t.Context(), "default", api.NetworkRequest{Name: "taken"}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		name, subnet, gateway, subnet6 string
		mtu                            int
		v4only                         bool
		want                           api.Code
	}{
		"no DNS label":        {name: "My_Net", want: api.CodeInvalid},
		"no name":             {want: api.CodeInvalid},
		"host":                {name: "host", want: api.CodeInvalid},
		"taken name":          {name: "taken", want: api.CodeConflict},
		"default":             {name: "default", want: api.CodeConflict},
		"overlaps default":    {name: "a", subnet: "10.88.7.0/24", want: api.CodeConflict},
		"contains default":    {name: "a", subnet: "10.0.0.0/8", want: api.CodeConflict},
		"overlaps a route":    {name: "a", subnet: "192.168.0.0/16", want: api.CodeConflict},
		"host bits":           {name: "a", subnet: "10.20.0.5/24", want: api.CodeInvalid},
		"too small":           {name: "a", subnet: "10.20.0.0/31", want: api.CodeInvalid},
		"multicast":           {name: "a", subnet: "224.0.0.0/8", want: api.CodeInvalid},
		"loopback":            {name: "a", subnet: "127.0.0.0/8", want: api.CodeInvalid},
		"everything":          {name: "a", subnet: "0.0.0.0/0", want: api.CodeInvalid},
		"v6 as v4":            {name: "a", subnet: "fd00::/64", want: api.CodeInvalid},
		"v4 as v6":            {name: "a", subnet6: "10.20.0.0/24", want: api.CodeInvalid},
		"v6 too large":        {name: "a", subnet6: "fd00::/48", want: api.CodeInvalid},
		"v6 without v6":       {name: "a", subnet6: "fd00::/64", v4only: true, want: api.CodeInvalid},
		"gateway elsewhere":   {name: "a", subnet: "10.20.0.0/24", gateway: "10.21.0.1", want: api.CodeInvalid},
		"gateway broadcast":   {name: "a", subnet: "10.20.0.0/24", gateway: "10.20.0.255", want: api.CodeInvalid},
		"tiny MTU":            {name: "a", mtu: 60, want: api.CodeInvalid},
		"MTU too low for v6":  {name: "a", mtu: 1000, want: api.CodeInvalid},
		"MTU beyond a packet": {name: "a", mtu: 70000, want: api.CodeInvalid},
	} {
		_, _, err := n.Create(t.Context(), "default", api.NetworkRequest{Name: c.name, Spec: api.NetworkSpec{
			Subnet: prefix(c.subnet), Gateway: addr(c.gateway), Subnet6: prefix(c.subnet6), MTU: c.mtu, IPv4Only: c.v4only}})
		if api.CodeOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
		if of := "network default"; strings.HasSuffix(name, of[7:]) && c.subnet != "" && !strings.Contains(err.Error(), of) {
			t.Errorf("%s: %v does not say which network", name, err)
		}
	}
}

func TestNetworkIfNotExists(t *testing.T) {
	n := newNetworks(t)
	r := api.NetworkRequest{Name: "front", IfNotExists: true, Spec: api.NetworkSpec{Subnet: prefix("10.20.0.0/24")}}
	for i := range 3 {
		if _, made, err := n.Create(t.Context(), "default", r); err != nil || made != (i == 0) {
			t.Fatalf("%d: %v, %v", i, made, err)
		}
	}
	r.Spec.Subnet = prefix("10.21.0.0/24")
	if _, _, err := n.Create(t.Context(), "default", r); api.CodeOf(err) != api.CodeConflict {
		t.Errorf("another subnet: %v", err)
	}
}

func TestNetworkInUseStays(t *testing.T) {
	n := newNetworks(t)
	front, _, err := n.Create(t.Context(), "default", api.NetworkRequest{Name: "front"})
	if err != nil {
		t.Fatal(err)
	}
	in := &api.Instance{Meta: api.Meta{ID: "i1", Name: "web", Project: "default"}}
	in.Spec.Networks = []api.Attachment{{Network: "front"}}
	if err := n.Store.Instances.Create(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if err := n.Remove(t.Context(), &front); api.CodeOf(err) != api.CodeConflict || !strings.Contains(err.Error(), "web") {
		t.Errorf("in use: %v", err)
	}
	if err := n.Store.Instances.Delete(t.Context(), in.ID); err != nil {
		t.Fatal(err)
	}
	if err := n.Remove(t.Context(), &front); err != nil {
		t.Error(err)
	}
	def, err := FindNetwork(n.Store, "another", "default")
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Remove(t.Context(), def); api.CodeOf(err) != api.CodeConflict {
		t.Errorf("default: %v", err)
	}
}

func TestFreeSubnetJumps(t *testing.T) {
	taken := []netip.Prefix{prefix("10.0.0.0/9"), prefix("10.128.0.0/24")}
	if got, err := freeSubnet(prefix("10.0.0.0/8"), 20, taken); err != nil || got != prefix("10.128.16.0/20") {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err := freeSubnet(prefix("10.0.0.0/8"), 20, []netip.Prefix{prefix("0.0.0.0/0")}); api.CodeOf(err) != api.CodeInsufficientCapacity {
		t.Errorf("full: %v", err)
	}
	if got, err := freeSubnet(prefix("fd12::/48"), 64, []netip.Prefix{prefix("fd12::/64")}); err != nil || got != prefix("fd12:0:0:1::/64") {
		t.Errorf("got %s, %v", got, err)
	}
}
