package main

import (
	"context"
	"net/netip"
	"os/exec"

	"github.com/virga-cloud/virga/api"
)

// networkKernelPaths sends through a published port and through a service, in
// turns with the same to the instance's own address.
func networkKernelPaths(ctx context.Context, e *env) error {
	p := &iperfPair{e: e}
	defer func() { p.close() }()
	label := map[string]string{"bench": "paths"}
	made, err := e.client.Create(ctx, api.CreateRequest{Labels: label, Spec: api.InstanceSpec{
		Image: toolsImage, Command: []string{"iperf3", "-s"}, Ports: []api.Port{{Port: iperfPort}},
	}}, true)
	if err != nil {
		return err
	}
	p.server.ID = made.ID
	if p.server, err = e.client.Instance(ctx, made.ID); err != nil {
		return err
	}
	p.address = p.server.Status.Addresses[0].Address
	if err := e.start(ctx, &p.client, api.NetworkDefault, "/bin/busybox", "sleep", "100000"); err != nil {
		return err
	}
	if err := listening(ctx, e.net, p.address); err != nil {
		return err
	}
	gateway, err := e.gateway(ctx)
	if err != nil {
		return err
	}
	fromNode := func(at netip.Addr, port uint16) func(context.Context, string) (float64, error) {
		return func(ctx context.Context, cores string) (float64, error) {
			return iperfIn(e.net, exec.CommandContext(ctx, "iperf3", iperfArgs(at, int(port), cores)...))
		}
	}
	docker := e.dockersBridge(ctx)
	defer docker.close()
	published, err := turns(ctx, twoCores, append([]flow{{"published", fromNode(gateway, p.server.Status.Ports[0].HostPort)}, {"direct", fromNode(p.address, iperfPort)}}, docker.published()...)...)
	if err != nil {
		return err
	}
	if err := e.compareTurns("network.published", "Gbit/s", published[0], goal{}, append([]measured{{"the instance's address", published[1], ratioAtLeast(.95)}}, docker.measured(published[2:])...)); err != nil {
		return err
	}
	s, err := e.client.CreateService(ctx, api.ServiceRequest{Name: "bench-paths", Spec: api.ServiceSpec{
		Selector: api.ServiceSelector{Labels: label}, Ports: []api.ServicePort{{Port: iperfPort, Protocol: api.ProtocolTCP}},
	}})
	if err != nil {
		return err
	}
	defer e.client.RemoveService(context.WithoutCancel(ctx), "bench-paths")
	if err := listening(ctx, e.net, s.Address); err != nil {
		return err
	}
	service, err := turns(ctx, twoCores, flow{"service", p.to(s.Address)}, flow{"direct", p.to(p.address)})
	if err != nil {
		return err
	}
	return e.compareTurns("network.service", "Gbit/s", service[0], goal{}, []measured{{"the instance's address", service[1], ratioAtLeast(.98)}})
}
