package server

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control"
	"github.com/virga-cloud/virga/internal/control/service"
)

// Services is what makes services work on the node.
type Services interface {
	// Apply makes everything as the store says before it returns.
	Apply()
	Status(s *api.Service) api.ServiceStatus
	// Address6 is the service's IPv6 address; invalid where there is none.
	Address6(s *api.Service) netip.Addr
	// TryPort says whether a port of the node is free, or who has it.
	TryPort(protocol string, port uint16) error
	// Root is the certificate of the node's own authority, in PEM.
	Root() []byte
}

func (s *Server) serviceRoutes() {
	route(s, http.MethodGet, "/v1/services", "List services", s.listServices)
	route(s, http.MethodPost, "/v1/services", "Create a service", s.createService)
	route(s, http.MethodGet, "/v1/services/{id}", "Inspect a service", s.inspectService)
	route(s, http.MethodPut, "/v1/services/{id}", "Replace a service's specification; its address stays", s.updateService)
	route(s, http.MethodDelete, "/v1/services/{id}", "Remove a service; its instances stay", s.removeService)
	route(s, http.MethodGet, "/v1/authority", "The certificate that signs those of https services", s.authority)
}

func (s *Server) listServices(_ context.Context, p *InProject) (*body[[]api.Service], error) {
	out := []api.Service{}
	for _, v := range s.Store.Services.Views() {
		if v.Project == p.Project {
			out = append(out, s.shown(v))
		}
	}
	slices.SortFunc(out, func(a, b api.Service) int { return cmp.Compare(a.Name, b.Name) })
	return &body[[]api.Service]{out}, nil
}

func (s *Server) inspectService(_ context.Context, t *Target) (*body[api.Service], error) {
	v, err := s.service(*t)
	if err != nil {
		return nil, err
	}
	return &body[api.Service]{s.shown(v)}, nil
}

func (s *Server) service(t Target) (*api.Service, error) {
	v, err := s.Store.Services.Find(t.Project, t.ID)
	if e, ok := err.(*api.Error); ok && e.Code == api.CodeNotFound {
		err = e.WithHint("virga service ls lists the services there are")
	}
	return v, err
}

// shown is a service as clients see it: with its state, without its key.
func (s *Server) shown(v *api.Service) api.Service {
	c := *v
	if t := v.Spec.TLS; t != nil {
		hidden := *t
		hidden.Key = ""
		c.Spec.TLS = &hidden
	}
	c.Address6 = s.Services.Address6(v)
	c.Status = s.Services.Status(v)
	return c
}

type createService struct {
	InProject
	Body api.ServiceRequest
}

type createdService struct {
	Status int
	Body   api.Service
}

func (s *Server) createService(ctx context.Context, r *createService) (*createdService, error) {
	v := api.Service{
		Meta: api.Meta{ID: control.NewID(), Name: r.Body.Name, Project: r.Project, Labels: r.Body.Labels, Created: time.Now().UTC()},
		Spec: r.Body.Spec,
	}
	for _, err := range []error{
		api.ValidateName("project", r.Project), api.ValidateName("name", v.Name), control.ValidateLabels(v.Labels),
	} {
		if err != nil {
			return nil, err
		}
	}
	s.admitting.Lock()
	defer s.admitting.Unlock()
	if err := s.admitService(&v); err != nil {
		return nil, err
	}
	n, err := control.FindNetwork(s.Store, v.Project, v.Spec.Network)
	if err != nil {
		return nil, err
	}
	if err := reachable(&v.Spec, n); err != nil {
		return nil, err
	}
	taken := service.Taken(s.Store.Services.Views(), s.Store.Instances.Views())
	if v.Address, err = service.Address(n, v.Spec.Address, taken); err != nil {
		return nil, err
	}
	if err := s.Store.Services.Create(ctx, &v); err != nil {
		return nil, err
	}
	s.Services.Apply()
	s.recordService("create", &v)
	return &createdService{http.StatusCreated, s.shown(&v)}, nil
}

type updateService struct {
	Target
	Body api.ServiceSpec
}

func (s *Server) updateService(ctx context.Context, r *updateService) (*body[api.Service], error) {
	old, err := s.service(r.Target)
	if err != nil {
		return nil, err
	}
	s.admitting.Lock()
	defer s.admitting.Unlock()
	v := api.Service{Meta: old.Meta, Spec: r.Body, Address: old.Address}
	keepKey(v.Spec.TLS, old.Spec.TLS)
	if err := s.admitService(&v); err != nil {
		return nil, err
	}
	if v.Spec.Network != old.Spec.Network || v.Spec.Address.IsValid() && v.Spec.Address != old.Address {
		return nil, api.Errorf(api.CodeConflict, "the network and the address of service %s cannot be changed", old.Name).
			InField("spec.network").WithHint("make another service there")
	}
	n, err := control.FindNetwork(s.Store, v.Project, v.Spec.Network)
	if err == nil {
		err = reachable(&v.Spec, n)
	}
	if err != nil {
		return nil, err
	}
	now, err := s.Store.Services.Update(ctx, old.ID, func(o *api.Service) error {
		o.Spec = v.Spec
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.Services.Apply()
	s.recordService("update", &now)
	return &body[api.Service]{s.shown(&now)}, nil
}

// keepKey takes the key of a certificate that stays: clients never see it, so
// they cannot send it back.
func keepKey(t, old *api.ServiceTLS) {
	if t != nil && old != nil && t.Key == "" && t.Certificate == old.Certificate {
		t.Key = old.Key
	}
}

// admitService completes and checks a service that is about to be stored.
func (s *Server) admitService(v *api.Service) error {
	service.Complete(&v.Spec)
	if err := service.Validate(&v.Spec); err != nil {
		return err
	}
	if err := service.Conflict(v, s.Store.Services.Views()); err != nil {
		return err
	}
	held := map[string]bool{}
	for _, o := range s.Store.Services.Views() {
		for _, p := range o.Spec.Ports {
			held[nodePort(p)] = true // by a service that shares it, or as it was before
		}
	}
	for i, p := range v.Spec.Ports {
		if p.Publish == 0 || held[nodePort(p)] {
			continue
		}
		protocol := "tcp"
		if p.Protocol == api.ProtocolUDP {
			protocol = "udp"
		}
		if err := s.Services.TryPort(protocol, p.Publish); err != nil {
			if e, ok := err.(*api.Error); ok {
				return e.InField(fmt.Sprintf("spec.ports[%d].publish", i))
			}
			return err
		}
	}
	return nil
}

// reachable refuses ports of the node that lead into a network which nobody
// outside may reach.
func reachable(spec *api.ServiceSpec, n *api.Network) error {
	for i, p := range spec.Ports {
		if p.Publish != 0 && n.Spec.Internal {
			return api.Invalid(fmt.Sprintf("spec.ports[%d].publish", i), "network %s is internal: nothing outside reaches it", n.Name).
				WithHint("put the service on a network with a way out, or leave publish out")
		}
	}
	return nil
}

func nodePort(p api.ServicePort) string {
	return fmt.Sprint(p.Publish, p.Protocol == api.ProtocolUDP)
}

func (s *Server) removeService(ctx context.Context, t *Target) (*none, error) {
	v, err := s.service(*t)
	if err != nil {
		return nil, err
	}
	if err := s.Store.Services.Delete(ctx, v.ID); err != nil {
		return nil, err
	}
	s.Services.Apply()
	s.recordService("remove", v)
	return &none{}, nil
}

func (s *Server) recordService(action string, v *api.Service) {
	s.Events.Append(api.Event{Kind: "service", Action: action, ID: v.ID, Name: v.Name, Project: v.Project})
}

// Authority is the node's own certificate authority.
type Authority struct {
	Certificate string `json:"certificate" doc:"PEM"`
}

func (s *Server) authority(context.Context, *none) (*body[Authority], error) {
	return &body[Authority]{Authority{string(s.Services.Root())}}, nil
}
