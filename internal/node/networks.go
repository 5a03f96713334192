package node

import (
	"context"
	"net/netip"

	"github.com/virga-cloud/virga/internal/control/store"
)

// SetNetworks makes the node's networks those of the store.
func (a *Agent) SetNetworks(ctx context.Context) error {
	a.networks.Lock()
	defer a.networks.Unlock()
	// Read under the lock, so that an older list never replaces a newer one.
	list, err := a.Store.Networks.List()
	if err != nil {
		return err
	}
	return a.Network.Set(ctx, list)
}

// followNetworks does so after every change, until ctx ends.
func (a *Agent) followNetworks(ctx context.Context, changes <-chan store.Change) {
	for {
		select {
		case <-ctx.Done():
			return
		case _, ok := <-changes:
			if !ok {
				changes = a.Store.Networks.Watch(ctx) // we were too slow
			}
			drain(changes)
		}
		if err := a.SetNetworks(ctx); err != nil && ctx.Err() == nil {
			a.Log.Error("networks are not as stored", "error", err)
		}
	}
}

// drain takes the changes that are waiting: all are answered at once.
func drain(changes <-chan store.Change) {
	for {
		select {
		case _, ok := <-changes:
			if !ok {
				return
			}
		default:
			return
		}
	}
}

// Routes are the destinations that the node reaches otherwise than by virga's
// networks.
func (a *Agent) Routes() ([]netip.Prefix, error) { return a.Network.Routes() }
