package network

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
	"github.com/virga-cloud/virga/internal/linux/link"
	"github.com/virga-cloud/virga/internal/linux/namespace"
	"github.com/virga-cloud/virga/internal/linux/nft"
)

// Reconnect makes the networks of a running instance those of r, which names a
// process of it: what is new is plugged in, what is gone is pulled out, what
// stays is not touched. New interfaces come after those there are. It returns
// the addresses the instance has then, and of a virtual machine the new TAPs,
// for its monitor. Idempotent; without an attachment things are as they were.
func (f *Fabric) Reconnect(ctx context.Context, r Request) (*Attachment, error) {
	f.mu.Lock()
	m := f.members[r.Instance]
	f.mu.Unlock()
	if m == nil {
		return nil, api.Errorf(api.CodeConflict, "instance %s is not attached to a network", r.Name)
	}
	if len(r.Networks) == 0 {
		r.Networks = []api.Attachment{{Network: api.NetworkDefault}}
	}
	if r.Networks[0].Network == api.NetworkNone {
		r.Networks = nil
	}
	defer f.unask(r.Instance)
	wants, err := f.wants(r)
	if err != nil {
		return nil, err
	}
	var keep, gone []port
	for _, p := range m.ports {
		i := slices.IndexFunc(wants, func(w want) bool { return w.segment == p.segment })
		if i < 0 {
			gone = append(gone, p)
			continue
		}
		keep, wants = append(keep, p), slices.Delete(wants, i, i+1)
	}
	if err := stillReachable(m, keep, wants); err != nil {
		return nil, err
	}
	added, err := f.plugLive(r, m, wants)
	if err != nil {
		return nil, fmt.Errorf("connect %s: %w", r.Name, err)
	}
	fresh := added.ports
	ports := append(keep, fresh...)
	if m.rate != (api.NetworkRate{}) {
		if err := f.limit(r.Instance, fresh, m.rate); err != nil {
			return nil, errors.Join(err, f.takeBack(added, m))
		}
	}
	if err := f.retarget(m, ports); err != nil {
		return nil, errors.Join(fmt.Errorf("move ports of %s: %w", r.Name, err), f.takeBack(added, m))
	}
	f.mu.Lock()
	before := m.ports
	m.ports = ports
	f.mu.Unlock()
	if err := f.guide(ctx, m, append(gone, ports...)); err != nil {
		f.mu.Lock()
		m.ports = before
		f.mu.Unlock()
		return nil, errors.Join(err, f.retarget(m, before), f.takeBack(added, m), f.guide(ctx, m, before))
	}
	f.dns.Put(host(r, ports))
	f.labels.set(r.Instance, fresh)
	f.judged(m)
	f.unlimit(gone, m.rate)
	return &Attachment{Sandbox: engine.Sandbox{Taps: added.taps}, Addresses: addressesOn(ports)}, f.unplug(gone)
}

// takeBack undoes plugLive.
func (f *Fabric) takeBack(added *place, m *member) error {
	f.unlimit(added.ports, m.rate)
	return errors.Join(f.unplug(added.ports), closeTaps(added.taps))
}

// stillReachable refuses to leave published ports without a way to them.
func stillReachable(m *member, keep []port, wants []want) error {
	if len(m.published) == 0 {
		return nil
	}
	open := slices.ContainsFunc(keep, func(p port) bool { return !p.segment.spec.Internal }) ||
		slices.ContainsFunc(wants, func(w want) bool { return !w.segment.spec.Internal })
	if open {
		return nil
	}
	return api.Errorf(api.CodeConflict, "instance %s publishes ports, and no other network of it has a way in", m.name).
		WithHint("connect it to a network that is not internal first")
}

// plugLive gives a running instance new interfaces: in its namespace, or as
// files. It returns a place with those alone.
func (f *Fabric) plugLive(r Request, m *member, wants []want) (*place, error) {
	p := &place{}
	if len(wants) == 0 {
		return p, nil
	}
	next := 0
	for _, q := range m.ports {
		next = max(next, q.index+1)
	}
	if m.kind == Tap {
		for i, w := range wants {
			if err := f.plugOne(r, p, nil, next+i, w); err != nil {
				return nil, errors.Join(err, f.takeBack(p, m))
			}
		}
		return p, nil
	}
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", r.PID))
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	inside, err := link.Open(ns)
	if err != nil {
		return nil, err
	}
	defer inside.Close()
	p.Net = ns
	for i, w := range wants {
		if err := f.plugOne(r, p, inside, next+i, w); err != nil {
			return nil, errors.Join(err, f.unplug(p.ports))
		}
	}
	return p, nil
}

// plugOne plugs one interface in: as a file where inside is nil.
func (f *Fabric) plugOne(r Request, p *place, inside *link.Conn, i int, w want) error {
	if err := f.choose(r, &w); err != nil {
		return err
	}
	had := len(p.ports)
	var reqs []link.Request
	var err error
	if inside == nil {
		err = f.plugTap(r, p, i, w)
	} else if reqs, err = f.plug(p, inside, i, w); err == nil && w.segment.subnet6.IsValid() {
		// The namespace may have been born without IPv6.
		err = namespace.In(p.Net, func() error { return linkIPv6(interfaceName(i)) })
	}
	if err == nil && inside != nil {
		err = inside.Do(reqs...)
	}
	if err != nil && len(p.ports) == had {
		f.free(w.segment, w.addr) // else it is freed with the port
	}
	return err
}

// unplug takes interfaces away from a running instance, with their addresses.
func (f *Fabric) unplug(ports []port) error {
	if len(ports) == 0 {
		return nil
	}
	// The kernel takes its time: others need not wait for the socket.
	conn, err := link.Open(nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	f.unguard(ports)
	for _, p := range ports {
		err = errors.Join(err, conn.Do(link.Delete(p.link)))
		f.mu.Lock()
		p.segment.free.free(p.addr)
		f.mu.Unlock()
	}
	return err
}

// retarget leads published ports to the first network that may be reached.
func (f *Fabric) retarget(m *member, ports []port) error {
	if len(m.published) == 0 {
		return nil
	}
	to, err := reachable(ports)
	if err != nil {
		return err
	}
	for _, b := range m.published {
		rule := b.rule
		addr := to.addr
		if rule.To.Addr().Is6() {
			addr = to.addr6
		}
		if addr == rule.To.Addr() {
			continue
		}
		if err := f.table.Unpublish(rule); err != nil {
			return err
		}
		if !addr.IsValid() {
			continue // no IPv6 there
		}
		rule.To = netip.AddrPortFrom(addr, rule.To.Port())
		if err := f.table.Publish(rule); err != nil {
			return err
		}
		f.forgetUDP([]nft.Published{rule})
		if b.loopback != nil {
			b.loopback.close()
			b.loopback = nil
		}
		f.mu.Lock()
		b.rule = rule
		f.mu.Unlock()
		if err := b.carry(); err != nil {
			return err
		}
	}
	return nil
}
