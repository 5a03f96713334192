package node

import (
	"context"

	"github.com/virga-cloud/virga/api"
)

// Reconnect waits until a running instance has the networks of its spec, and
// returns why it cannot have them. One that does not run gets them at its next
// start.
func (a *Agent) Reconnect(ctx context.Context, id string) error {
	w, answer := a.worker(id), make(chan error, 1)
	w.mu.Lock()
	w.asking = append(w.asking, answer)
	w.mu.Unlock()
	a.kick(id)
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// waiters are calls of Reconnect; each channel has room for its answer.
type waiters []chan error

func (w waiters) answer(err error) {
	for _, c := range w {
		c <- err
	}
}

// askers takes who waits now.
func (w *worker) askers() waiters {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.asking
	w.asking = nil
	return out
}

// reconnect makes the networks of the running life those of the spec. When
// that is not possible it is not tried again before the spec changes.
func (a *Agent) reconnect(ctx context.Context, w *worker, in *api.Instance) error {
	r := networkRequest(in)
	r.PID = in.Status.PID
	at, err := a.Network.Reconnect(ctx, r)
	w.set(func(f *facts) { f.networks = in.Spec.Networks })
	if at == nil {
		a.Log.Warn("networks were not changed", "instance", in.ID, "error", err)
		return err
	}
	defer at.Close()
	a.record(in, "connect", "", nil)
	if oerr := a.observe(in.ID, func(st *api.InstanceStatus) { st.Addresses = at.Addresses }); oerr != nil {
		return oerr
	}
	return err
}

// connected are the attachments of an adopted life: those of the spec that its
// status has an address on, and bare ones for what the spec has no more.
func connected(in *api.Instance) []api.Attachment {
	if len(in.Status.Addresses) == 0 {
		return in.Spec.Networks
	}
	var out []api.Attachment
	for _, a := range in.Status.Addresses {
		at := api.Attachment{Network: a.Network}
		for _, s := range in.Spec.Networks {
			if s.Network == a.Network {
				at = s
			}
		}
		out = append(out, at)
	}
	if len(in.Spec.Networks) == 0 && len(out) == 1 && out[0].Network == api.NetworkDefault {
		return in.Spec.Networks
	}
	return out
}
