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
	f.free6(instance)
	f.mu.Unlock()
	if m == nil {
		return nil
	}
	f.dns.Remove(instance)
	err := errors.Join(f.unpublish(m.published), f.guide(ctx, m, m.ports))
	f.judged(m) // before its addresses are another's
	for _, p := range m.ports {
		f.free(p.segment, p.addr)
	}
	f.ids.free(m.ids)
	f.unguard(m.ports)
	f.unlimit(m.ports, m.rate)
	return err
}
