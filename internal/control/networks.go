package control

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/store"
)

// Networks lets networks in and out: it validates and completes them and
// stores them. Its methods may be called concurrently.
type Networks struct {
	Store *store.Store
	// Routes are the destinations that the node reaches otherwise than by
	// virga's networks; nil for none.
	Routes func() ([]netip.Prefix, error)

	mu sync.Mutex // one choice of a subnet at a time
}

// Create stores a network. made is false when there was one as asked already.
func (n *Networks) Create(ctx context.Context, project string, r api.NetworkRequest) (net api.Network, made bool, err error) {
	for _, err := range []error{api.ValidateName("project", project), api.ValidateName("name", r.Name), ValidateLabels(r.Labels)} {
		if err != nil {
			return net, false, err
		}
	}
	if r.Name == api.NetworkHost || r.Name == api.NetworkNone {
		return net, false, api.Invalid("name", "%q has a meaning of its own and cannot be the name of a network", r.Name)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if have, err := FindNetwork(n.Store, project, r.Name); err == nil && have.Name == r.Name {
		if r.IfNotExists && satisfies(have.Spec, r.Spec) {
			return *have, false, nil
		}
		e := api.Errorf(api.CodeConflict, "network %s exists already", r.Name).InField("name")
		if r.IfNotExists {
			e = api.Errorf(api.CodeConflict, "network %s exists already and is not as asked", r.Name).InField("name").
				WithHint("virga network inspect %s", r.Name)
		}
		return net, false, e
	}
	net = api.Network{
		Meta: api.Meta{ID: NewID(), Name: r.Name, Project: project, Labels: r.Labels, Created: time.Now().UTC()},
	}
	taken, err := n.taken()
	if err != nil {
		return net, false, err
	}
	if net.Spec, err = completeNetwork(r.Spec, taken, n.pool6()); err != nil {
		if api.CodeOf(err) == api.CodeConflict {
			err = cmp.Or(n.disjoint(r.Spec.Subnet, r.Spec.Subnet6), err)
		}
		return net, false, err
	}
	return net, true, n.Store.Networks.Create(ctx, &net)
}

// Default stores the network that every node has, unless it is there. An IPv4
// subnet that the node's configuration has changed is changed here too.
func (n *Networks) Default(ctx context.Context, subnet netip.Prefix) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	have, err := n.Store.Networks.ByName(api.DefaultProject, api.NetworkDefault)
	if err == nil {
		if have.Spec.Subnet == subnet {
			return nil
		}
		_, err = n.Store.Networks.Update(ctx, have.ID, func(o *api.Network) error {
			o.Spec.Subnet, o.Spec.Gateway = subnet, subnet.Addr().Next()
			return nil
		})
		return err
	}
	net := api.Network{Meta: api.Meta{
		ID: NewID(), Name: api.NetworkDefault, Project: api.DefaultProject, Created: time.Now().UTC(),
	}}
	net.Spec.Subnet = subnet
	if net.Spec, err = completeNetwork(net.Spec, nil, localPrefix(net.ID)); err != nil {
		return err
	}
	return n.Store.Networks.Create(ctx, &net)
}

// Remove deletes a network that no instance uses.
func (n *Networks) Remove(ctx context.Context, net *api.Network) error {
	if net.Name == api.NetworkDefault {
		return api.Errorf(api.CodeConflict, "network %s is the node's own and cannot be removed", net.Name)
	}
	if users := NetworkUsers(n.Store, net); len(users) > 0 {
		return api.Errorf(api.CodeConflict, "network %s is used by %s", net.Name, strings.Join(users, ", ")).
			WithHint("virga network disconnect %s %s, or remove it", net.Name, users[0])
	}
	for _, s := range n.Store.Services.Views() {
		if s.Project == net.Project && s.Spec.Network == net.Name {
			return api.Errorf(api.CodeConflict, "network %s is used by service %s", net.Name, s.Name).
				WithHint("virga service rm %s", s.Name)
		}
	}
	return n.Store.Networks.Delete(ctx, net.ID)
}

// FindNetwork finds a project's network; the default one is every project's.
func FindNetwork(s *store.Store, project, ref string) (*api.Network, error) {
	if ref == api.NetworkDefault {
		project = api.DefaultProject
	}
	n, err := s.Networks.Find(project, ref)
	if e, ok := err.(*api.Error); ok && e.Code == api.CodeNotFound {
		err = e.WithHint("virga network ls lists the networks there are")
	}
	return n, err
}

// NetworkUsers are the names of the instances whose spec has a network.
func NetworkUsers(s *store.Store, n *api.Network) []string {
	var out []string
	for _, in := range s.Instances.Views() {
		if (in.Project == n.Project || n.Name == api.NetworkDefault) && Attached(&in.Spec, n.Name) {
			out = append(out, in.Name)
		}
	}
	slices.Sort(out)
	return out
}

// Attached says whether a spec has a network.
func Attached(s *api.InstanceSpec, network string) bool {
	if s.Namespaces.Network != "" {
		return false
	}
	if len(s.Networks) == 0 {
		return network == api.NetworkDefault
	}
	return slices.ContainsFunc(s.Networks, func(a api.Attachment) bool { return a.Network == network })
}

// taken are the subnets of all networks and the node's other routes.
func (n *Networks) taken() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, o := range n.Store.Networks.Views() {
		out = append(out, o.Spec.Subnet)
		if o.Spec.Subnet6.IsValid() {
			out = append(out, o.Spec.Subnet6)
		}
	}
	if n.Routes == nil {
		return out, nil
	}
	routes, err := n.Routes()
	return append(out, routes...), err
}

// disjoint refuses subnets that another network has a part of, by that one's
// name. Each network is a route of the node too, and routes have no names.
func (n *Networks) disjoint(asked ...netip.Prefix) error {
	for _, o := range n.Store.Networks.Views() {
		for _, have := range []netip.Prefix{o.Spec.Subnet, o.Spec.Subnet6} {
			for _, p := range asked {
				if p.Overlaps(have) {
					return api.Errorf(api.CodeConflict, "subnet %s overlaps %s of network %s", p, have, o.Name).InField("spec.subnet").
						WithHint("leave the subnet out to get a free one")
				}
			}
		}
	}
	return nil
}

// pool6 is the node's own /48.
func (n *Networks) pool6() netip.Prefix {
	def, err := n.Store.Networks.Find(api.DefaultProject, api.NetworkDefault)
	if err != nil {
		return localPrefix("")
	}
	return localPrefix(def.ID)
}
