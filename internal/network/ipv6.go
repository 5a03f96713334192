package network

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/virga-cloud/virga/api"
)

// An instance's IPv6 address ends in its IPv4 address. So it is stable, known
// without asking, and unique because the other is.

// addr6 is the IPv6 address that goes with an IPv4 one; invalid where the
// network has no IPv6.
func (s *segment) addr6(a netip.Addr) netip.Addr {
	if !s.subnet6.IsValid() {
		return netip.Addr{}
	}
	b, v4 := s.subnet6.Addr().As16(), a.As4()
	copy(b[12:], v4[:])
	return netip.AddrFrom16(b)
}

// given6 says whether a goes with an IPv4 address of the network.
func (s *segment) given6(a netip.Addr) bool {
	b := a.As16()
	v4 := netip.AddrFrom4([4]byte(b[12:]))
	return s.subnet.Contains(v4) && s.addr6(v4) == a
}

// claim6 takes a static IPv6 address for an instance.
//
// +checklocks:f.mu
func (f *Fabric) claim6(s *segment, text, instance, field string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	switch {
	case err != nil || !s.subnet6.IsValid() || !s.subnet6.Contains(a) || a == s.subnet6.Addr():
		return a, api.Invalid(field, "%q is not an IPv6 address of network %s", text, s.name)
	case a == s.gateway6:
		return a, api.Errorf(api.CodeConflict, "address %s is network %s's gateway", a, s.name).InField(field)
	case s.given6(a):
		return a, api.Invalid(field, "address %s goes with an IPv4 address of network %s", a, s.name).
			WithHint("choose one that does not end in an IPv4 address of the network, or leave it out")
	}
	return a, f.ask(asked{s.key, a.String()}, instance, s.name, field)
}

func anyIPv6(wants []want) bool {
	return slices.ContainsFunc(wants, func(w want) bool { return w.segment.subnet6.IsValid() })
}

// hasIPv6 says whether the kernel has it.
func hasIPv6() bool {
	_, err := os.Stat(sysctlPath("net.ipv6.conf.default"))
	return err == nil
}

// baseSysctls are what every instance's network begins with: ports below 1024
// and ping need no privilege, changes of addresses are announced, and nothing
// but virga says what addresses and routes there are.
func baseSysctls(ipv6 bool) error {
	set := [][2]string{
		{"net.ipv4.ip_unprivileged_port_start", "0"},
		{"net.ipv4.ping_group_range", "0 2147483647"},
		{"net.ipv4.conf.default.arp_notify", "1"},
	}
	if ipv6 {
		// The addresses are virga's: there is nothing to detect.
		set = append(set, [][2]string{
			{"net.ipv6.conf.default.accept_dad", "0"},
			{"net.ipv6.conf.default.accept_ra", "0"},
			{"net.ipv6.conf.default.ndisc_notify", "1"},
		}...)
	} else {
		set = append(set, [2]string{"net.ipv6.conf.default.disable_ipv6", "1"})
	}
	for _, s := range set {
		// A kernel without IPv6 has no such setting.
		if err := setSysctl(s[0], s[1]); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// linkIPv6 lets a link have the addresses it is given, at once.
func linkIPv6(name string) error {
	return errors.Join(
		setSysctl("net.ipv6.conf."+name+".accept_ra", "0"),
		setSysctl("net.ipv6.conf."+name+".accept_dad", "0"),
		setSysctl("net.ipv6.conf."+name+".disable_ipv6", "0"),
	)
}

// forward6 turns forwarding of IPv6 on when a network has it. A router does
// not listen to other routers by itself: links of the node that did so far are
// told to go on.
func (f *Fabric) forward6(segments map[string]*segment) error {
	const path = "net/ipv6/conf/all/forwarding"
	needed := false
	for _, s := range segments {
		needed = needed || s.subnet6.IsValid()
	}
	if !needed {
		return nil
	}
	former := f.former()
	if now, err := former.read(path); err != nil || now == "1" {
		return err
	}
	listening, err := filepath.Glob(settingsRoot + "/net/ipv6/conf/*/accept_ra")
	if err != nil {
		return err
	}
	for _, l := range listening {
		l = strings.TrimPrefix(l, settingsRoot+"/")
		now, err := former.read(l)
		if link := filepath.Base(filepath.Dir(l)); err != nil || link == "all" || link == "lo" || now != "1" {
			continue
		}
		// A link that goes meanwhile is no loss.
		if _, err := former.set(l, "2"); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if _, err := former.set(path, "1"); err != nil {
		return err
	}
	f.config.Log.Info("turned packet forwarding on", "setting", path)
	return nil
}
