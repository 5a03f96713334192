package network

import (
	"context"
	"errors"
)

// Detach takes back addresses, ports and names. The links go with the
// namespaces, when the last process has left them and the attachment is
// closed; those of kind Tap when their monitor has ended. Idempotent.
func (f *Fabric) Detach(ctx context.Context, instance string) error {
	f.mu.Lock()
	m := f.members[instance]
	delete(f.members, instance)
	outlived := m != nil && f.outlivedLocked(instance)
	f.mu.Unlock()
	f.unask(instance)
	if m == nil {
		return nil
	}
	f.dns.Remove(instance)
	err := errors.Join(f.unpublish(m.published), f.guide(ctx, m, m.ports))
	f.judged(m) // before its addresses are another's
	f.ids.free(m.ids)
	f.unlimit(m.ports, m.rate)
	if outlived {
		return errors.Join(err, f.unplug(m.ports)) // the namespace would keep them
	}
	for _, p := range m.ports {
		f.free(p.segment, p.addr)
	}
	f.unguard(m.ports)
	return err
}
