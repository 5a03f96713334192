package server

import (
	"context"
	"errors"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control"
)

type connectNetwork struct {
	Target
	Body api.ConnectRequest
}

func (s *Server) connectNetwork(ctx context.Context, r *connectNetwork) (*none, error) {
	at := api.Attachment{Address: r.Body.Address, Address6: r.Body.Address6, MAC: r.Body.MAC, Aliases: r.Body.Aliases}
	return &none{}, s.rewire(ctx, "connect", r.Target, r.Body.Instance,
		func(n *api.Network, id string) (api.Instance, error) { return s.networks.Connect(ctx, n, id, at) })
}

type disconnectNetwork struct {
	Target
	Body api.DisconnectRequest
}

func (s *Server) disconnectNetwork(ctx context.Context, r *disconnectNetwork) (*none, error) {
	return &none{}, s.rewire(ctx, "disconnect", r.Target, r.Body.Instance,
		func(n *api.Network, id string) (api.Instance, error) { return s.networks.Disconnect(ctx, n, id) })
}

// rewire changes an instance's networks and returns when a running one has
// them. What cannot be had is taken back.
func (s *Server) rewire(ctx context.Context, action string, t Target, instance string, change func(*api.Network, string) (api.Instance, error)) error {
	n, err := control.FindNetwork(s.Store, t.Project, t.ID)
	if err != nil {
		return err
	}
	in, err := s.instance(Target{InProject: t.InProject, ID: instance})
	if err != nil {
		return err
	}
	before := in.Spec.Networks
	if _, err := change(n, in.ID); err != nil {
		return err
	}
	if err := s.Node.Reconnect(ctx, in.ID); err != nil {
		return errors.Join(err, s.networks.SetAttachments(context.WithoutCancel(ctx), in.ID, before))
	}
	s.recordNetwork(action, n, map[string]string{"instance": in.Name})
	return nil
}
