package control

import (
	"fmt"
	"net/netip"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/store"
)

// checkNetworks refuses attachments to networks that do not exist, and
// addresses that are not theirs.
func (a *Admission) checkNetworks(project string, s *api.InstanceSpec) error {
	for i, at := range s.Networks {
		if err := checkAttachment(a.Store, fmt.Sprintf("spec.networks[%d]", i), project, at); err != nil {
			return err
		}
	}
	return nil
}

func checkAttachment(st *store.Store, field, project string, at api.Attachment) error {
	if at.Network == api.NetworkHost || at.Network == api.NetworkNone {
		return nil
	}
	n, err := FindNetwork(st, project, at.Network)
	if err == nil && n.Name != at.Network {
		err = api.Errorf(api.CodeNotFound, "no network %q", at.Network) // an id: the spec has names
	}
	if api.CodeOf(err) == api.CodeNotFound {
		if at.Network == api.NetworkDefault {
			return nil
		}
		return api.Errorf(api.CodeNotFound, "no network %q", at.Network).InField(field+".network").
			WithHint("virga network create %s", at.Network)
	}
	if err != nil {
		return err
	}
	if at.Address6 != "" && n.Spec.IPv4Only {
		return api.Invalid(field+".address6", "network %s has no IPv6", n.Name)
	}
	if err := checkAddress(field+".address", at.Address, n.Spec.Subnet, n.Spec.Gateway, n); err != nil {
		return err
	}
	return checkAddress(field+".address6", at.Address6, n.Spec.Subnet6, n.Spec.Gateway6, n)
}

// checkAddress refuses a static address that is not one of a host in subnet.
func checkAddress(field, text string, subnet netip.Prefix, gateway netip.Addr, n *api.Network) error {
	if text == "" {
		return nil
	}
	ip, err := netip.ParseAddr(text)
	switch {
	case err != nil:
		return api.Invalid(field, "%q is not an address", text)
	case ip == gateway:
		return api.Errorf(api.CodeConflict, "address %s is network %s's gateway", ip, n.Name).InField(field)
	case !subnet.Contains(ip) || ip == subnet.Addr() || ip.Is4() && ip == lastAddr(subnet):
		return api.Invalid(field, "address %s is not one of network %s", ip, n.Name).WithHint("its subnet is %s", subnet)
	}
	return nil
}
