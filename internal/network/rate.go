package network

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/linux/link"
)

// What an instance receives leaves the node by the node's end of its link, so
// a token bucket there holds it to a rate. What it sends comes in by that end,
// where nothing can wait; so it is led through an intermediate link of its own
// and waits there. Neither is within the instance's reach.

// kindFunnel is the kind of the intermediate links.
const kindFunnel = "ifb"

// Limit holds each interface of an instance to rates, from now on. A rate of 0
// is no limit. Idempotent.
func (f *Fabric) Limit(ctx context.Context, instance string, rate api.NetworkRate) error {
	f.mu.Lock()
	m := f.members[instance]
	var ports []port
	if m != nil {
		ports = m.ports
	}
	f.mu.Unlock()
	if m == nil {
		return nil // it has no network of its own
	}
	if err := f.limit(instance, ports, rate); err != nil {
		return err
	}
	f.mu.Lock()
	m.rate = rate
	f.mu.Unlock()
	return nil
}

// limit sets the rates of ports.
func (f *Fabric) limit(instance string, ports []port, rate api.NetworkRate) error {
	for _, p := range ports {
		if p.outer == 0 {
			continue
		}
		receive := []link.Request{link.ClearRate(p.outer)}
		if rate.IngressBPS > 0 {
			receive = link.SetRate(p.outer, rate.IngressBPS)
		}
		if err := f.conn.Do(receive...); err != nil {
			return limitError("ingressBps", err)
		}
		if err := f.limitEgress(instance, p, rate.EgressBPS); err != nil {
			return limitError("egressBps", err)
		}
	}
	return nil
}

// limitEgress sets the rate of what an instance sends by a port.
func (f *Fabric) limitEgress(instance string, p port, bits int64) error {
	name := funnelName(p.link)
	if bits == 0 {
		// In this order no packet is led to a link that is gone.
		return f.conn.Do(link.Unlead(p.outer), link.Delete(name))
	}
	if err := f.conn.Do(link.AddFunnel(name), link.SetAlias(name, f.funnelAlias(instance))); err != nil {
		return err
	}
	l, err := f.conn.ByName(name)
	if err != nil {
		return err
	}
	return f.conn.Do(append(link.SetRate(l.Index, bits), link.Lead(p.outer, l.Index)...)...)
}

// limitError says what the kernel lacks when it is that.
func limitError(field string, err error) error {
	field = "spec.resources.networkRate." + field
	for _, missing := range []syscall.Errno{syscall.ENOENT, syscall.EOPNOTSUPP, syscall.EAFNOSUPPORT} {
		if errors.Is(err, missing) {
			return api.Errorf(api.CodeNotSupported, "the rate of the network cannot be limited: %v", err).InField(field).
				WithHint("this kernel lacks one of the modules sch_tbf, sch_ingress, cls_u32, act_mirred, ifb")
		}
	}
	return fmt.Errorf("limit network: %w", err)
}

// unlimit lets the intermediate links of ports go. Deleting a link waits, so it
// is done behind the caller's back.
func (f *Fabric) unlimit(ports []port, rate api.NetworkRate) {
	if rate.EgressBPS == 0 {
		return
	}
	var reqs []link.Request
	for _, p := range ports {
		reqs = append(reqs, link.Delete(funnelName(p.link)))
	}
	f.labels.later(reqs...)
}

// readoptRate makes the rates of an adopted instance those it should have.
func (f *Fabric) readoptRate(m *member) error {
	if m.rate != (api.NetworkRate{}) {
		return f.limit(m.instance, m.ports, m.rate)
	}
	// It may have had some when the last daemon ended.
	for _, p := range m.ports {
		if p.outer == 0 {
			continue
		}
		if err := f.conn.Do(link.ClearRate(p.outer), link.Unlead(p.outer), link.Delete(funnelName(p.link))); err != nil {
			return err
		}
	}
	return nil
}

// funnelName goes with the name of the node's end of a link.
func funnelName(of string) string { return "vi" + strings.TrimPrefix(of, "vg") }

// funnelAlias says which daemon's an intermediate link is, and whose.
func (f *Fabric) funnelAlias(instance string) string { return f.config.Prefix + " " + instance }

// funnelOwner undoes funnelAlias; false for the links of others.
func (f *Fabric) funnelOwner(l link.Link) (string, bool) {
	if l.Kind != kindFunnel {
		return "", false
	}
	return strings.CutPrefix(l.Alias, f.config.Prefix+" ")
}

// limited says whether an instance needs an intermediate link.
//
// +checklocks:f.mu
func (f *Fabric) limited(instance, funnel string) bool {
	m := f.members[instance]
	return m != nil && m.rate.EgressBPS > 0 &&
		slices.ContainsFunc(m.ports, func(p port) bool { return funnelName(p.link) == funnel })
}
