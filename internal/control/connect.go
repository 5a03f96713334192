package control

import (
	"context"
	"slices"

	"github.com/virga-cloud/virga/api"
)

// Connect adds a network to an instance's spec, after those it has.
func (n *Networks) Connect(ctx context.Context, net *api.Network, id string, at api.Attachment) (api.Instance, error) {
	at.Network = net.Name
	if err := checkAttachment(n.Store, "network", net.Project, at); err != nil {
		return api.Instance{}, err
	}
	return n.attachments(ctx, id, func(i *api.Instance, list []api.Attachment) ([]api.Attachment, error) {
		if Attached(&i.Spec, net.Name) {
			return nil, api.Errorf(api.CodeConflict, "instance %s is on network %s already", i.Name, net.Name)
		}
		return append(list, at), nil
	})
}

// Disconnect takes a network out of an instance's spec. Without any network it
// keeps its loopback.
func (n *Networks) Disconnect(ctx context.Context, net *api.Network, id string) (api.Instance, error) {
	return n.attachments(ctx, id, func(i *api.Instance, list []api.Attachment) ([]api.Attachment, error) {
		if !Attached(&i.Spec, net.Name) {
			return nil, api.Errorf(api.CodeConflict, "instance %s is not on network %s", i.Name, net.Name)
		}
		list = slices.DeleteFunc(list, func(a api.Attachment) bool { return a.Network == net.Name })
		if len(list) == 0 {
			list = []api.Attachment{{Network: api.NetworkNone}}
		}
		return list, nil
	})
}

// SetAttachments puts back what an instance had before.
func (n *Networks) SetAttachments(ctx context.Context, id string, list []api.Attachment) error {
	_, err := n.Store.Instances.Update(ctx, id, func(i *api.Instance) error {
		i.Spec.Networks = list
		return nil
	})
	return err
}

// attachments changes the list of an instance's networks, written out: the
// default one that a spec without any has is on it, "none" is not.
func (n *Networks) attachments(ctx context.Context, id string, change func(*api.Instance, []api.Attachment) ([]api.Attachment, error)) (api.Instance, error) {
	return n.Store.Instances.Update(ctx, id, func(i *api.Instance) error {
		if i.Desired.Remove {
			return api.Errorf(api.CodeConflict, "instance %s is being removed", i.Name)
		}
		list := slices.Clone(i.Spec.Networks)
		switch {
		case i.Spec.Namespaces.Network != "":
			return api.Errorf(api.CodeConflict, "instance %s is on another instance's network", i.Name).WithHint("change that one's networks")
		case len(list) == 0:
			list = []api.Attachment{{Network: api.NetworkDefault}}
		case list[0].Network == api.NetworkHost:
			return api.Errorf(api.CodeConflict, "instance %s is on the node's own network, which cannot change", i.Name)
		case list[0].Network == api.NetworkNone:
			list = nil
		}
		list, err := change(i, list)
		if err != nil {
			return err
		}
		i.Spec.Networks = list
		return ValidateSpec(&i.Spec)
	})
}
