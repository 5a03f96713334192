package network

import (
	"cmp"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
	"github.com/virga-cloud/virga/internal/linux/link"
)

// A virtual machine is on its networks by TAPs: links whose other end is a file
// that its monitor reads and writes. All that a network knows of a link, the
// plan, guard, rates, rules and names, is the same as for a veth.
//
// A TAP is not made persistent. It lives as long as somebody has its file open,
// which is the daemon at first and the monitor from then on: it outlives the
// daemon as a veth does, goes with the instance as a veth does, and a daemon
// that dies before the monitor has the file leaves none behind.

// checkKind refuses what a virtual machine cannot be given by its network.
func checkKind(r Request) error {
	switch {
	case r.Kind != Tap:
		return nil
	case len(r.Sysctls) > 0:
		return api.Invalid("spec.security.sysctls", "settings of the network cannot be changed from outside a virtual machine").
			WithHint("change them in the guest")
	case r.Queues < 0 || r.Queues > link.MaxQueues:
		return api.Invalid("spec.networks", "an interface cannot have %d queues", r.Queues).
			WithHint("ask for 1 to %d", link.MaxQueues)
	}
	return nil
}

// placeFor makes the place that a request asks for.
func (f *Fabric) placeFor(r Request, wants []want) (*place, error) {
	if r.Kind != Tap {
		return f.newPlace(r.UserNS, r.Share, wants)
	}
	// The monitor itself has no network.
	p, err := f.newPlace(r.UserNS, nil, nil)
	if err != nil {
		return nil, err
	}
	for i, w := range wants {
		if err := f.plugTap(r, p, i, w); err != nil {
			return nil, errors.Join(err, f.discard(p))
		}
	}
	return p, nil
}

// plugTap makes one TAP. It is labelled and guarded before it is up, and up
// before anybody else has its file.
func (f *Fabric) plugTap(r Request, p *place, i int, w want) error {
	mac := w.mac
	if mac == nil {
		mac = insideMAC(w.addr)
	}
	name := f.linkName()
	queues, err := link.OpenTap(name, max(r.Queues, 1))
	if err != nil {
		return tapError(err)
	}
	p.taps = append(p.taps, engine.Tap{MAC: mac, MTU: w.segment.mtu, Queues: queues})
	if err := f.conn.Do(link.JoinTap(link.TapPort{
		Name: name, Alias: r.Instance, Master: w.segment.index, MTU: w.segment.mtu, MAC: outsideMAC(w.addr), Mute: f.config.ipv6,
	}), link.SetPort(name, true, w.segment.spec.Isolated)); err != nil {
		return err
	}
	q, err := f.plugged(p, i, w, name, mac)
	if err != nil {
		return err
	}
	return f.conn.Do(link.Up(q.outer))
}

// tapError says what the kernel lacks when it is that.
func tapError(err error) error {
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENODEV) {
		return api.Errorf(api.CodeNotSupported, "a virtual machine cannot have a network: %v", err).
			WithHint("this kernel lacks the module tun, or /dev/net/tun is missing")
	}
	return err
}

func closeTaps(taps []engine.Tap) error {
	var errs []error
	for _, t := range taps {
		for _, q := range t.Queues {
			errs = append(errs, q.Close())
		}
	}
	return errors.Join(errs...)
}

// tapsOf finds the ports of an instance that runs already by the label of its
// links, in the order they were made. A link tells the address by its own.
//
// +checklocks:f.mu
func (f *Fabric) tapsOf(r Request, links []link.Link) []port {
	byIndex := map[int]*segment{}
	for _, s := range f.segments {
		byIndex[s.index] = s
	}
	slices.SortFunc(links, func(a, b link.Link) int { return cmp.Compare(a.Index, b.Index) })
	var out []port
	for _, l := range links {
		if l.Kind != kindTun || l.Alias != r.Instance {
			continue
		}
		s := byIndex[l.Master]
		addr, ok := addressOf(l.MAC)
		if s == nil || !ok || !s.free.holds(addr) {
			continue
		}
		q := port{segment: s, addr: addr, addr6: s.addr6(addr), link: l.Name, outer: l.Index, index: len(out), mac: insideMAC(addr)}
		for _, a := range r.Networks {
			if a.Network != s.name {
				continue
			}
			if mac, err := net.ParseMAC(a.MAC); err == nil {
				q.mac = mac
			}
			if a6, err := netip.ParseAddr(a.Address6); err == nil && q.addr6.IsValid() {
				q.addr6 = a6
			}
		}
		out = append(out, q)
	}
	return out
}
