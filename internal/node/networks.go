package node

import (
	"context"
	"errors"
	"net/netip"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/store"
)

// SetNetworks makes the node's networks, and the rules between instances, those
// of the store.
func (a *Agent) SetNetworks(ctx context.Context) error {
	a.networks.Lock()
	defer a.networks.Unlock()
	// Read under the lock, so that an older list never replaces a newer one.
	list, err := a.Store.Networks.List()
	if err != nil {
		return err
	}
	rules, err := a.Store.Rules.List()
	if err != nil {
		return err
	}
	return errors.Join(a.Network.Set(ctx, list), a.Network.SetRules(ctx, rules))
}

// CountRules adds to rules what they have matched.
func (a *Agent) CountRules(rules []api.Rule) error {
	counts, err := a.Network.RuleCounts()
	for i := range rules {
		n := counts[rules[i].ID]
		rules[i].Packets, rules[i].Bytes = n.Packets, n.Bytes
	}
	return err
}

// followNetworks does so after every change, until ctx ends.
func (a *Agent) followNetworks(ctx context.Context, networks, rules <-chan store.Change) {
	for {
		select {
		case <-ctx.Done():
			return
		case _, ok := <-networks:
			if !ok {
				networks = a.Store.Networks.Watch(ctx) // we were too slow
			}
		case _, ok := <-rules:
			if !ok {
				rules = a.Store.Rules.Watch(ctx) // likewise
			}
		}
		drain(networks)
		drain(rules)
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
