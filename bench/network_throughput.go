package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/virga-cloud/virga/api"
)

// throughputRuns is how often each pair of figures is taken, in turns, and
// throughputLength how long each, in seconds.
const (
	throughputRuns   = 7
	throughputLength = 1
	iperfPort        = 5201
)

// flow is a way for data: send measures it once, in Gbit/s.
type flow struct {
	name string
	send func(context.Context) (float64, error)
}

// turns measures flows one after the other, throughputRuns times.
func turns(ctx context.Context, flows ...flow) ([]samples, error) {
	out := make([]samples, len(flows))
	for range throughputRuns {
		for i, f := range flows {
			v, err := f.send(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", f.name, err)
			}
			out[i] = append(out[i], v)
		}
	}
	return out, nil
}

// networkThroughput sends from instance to instance and from instance to node,
// in turns with the same through a bridge made by hand and through Docker's.
func networkThroughput(ctx context.Context, e *env) error {
	own, err := e.iperfPair(ctx, api.NetworkDefault)
	if err != nil {
		return err
	}
	defer own.close()
	bare, err := e.iperfPair(ctx, api.NetworkNone)
	if err != nil {
		return err
	}
	defer bare.close()
	l, err := bare.lab(false)
	if err != nil {
		return err
	}
	defer l.close()
	beside, err := bare.lab(true)
	if err != nil {
		return err
	}
	defer beside.close()
	docker := e.dockersBridge(ctx)
	defer docker.close()
	gateway, err := e.gateway(ctx)
	if err != nil {
		return err
	}
	for _, s := range []struct {
		ns *os.File
		at netip.Addr
	}{{nil, gateway}, {l.node, l.gateway}} {
		stop, err := iperfServer(s.ns, s.at)
		if err != nil {
			return err
		}
		defer stop()
		if err := listening(ctx, s.ns, s.at); err != nil {
			return err
		}
	}
	for _, to := range []struct {
		ns *os.File
		at netip.Addr
	}{{nil, own.address}, {l.node, l.addrB}, {nil, beside.addrB}} {
		if err := listening(ctx, to.ns, to.at); err != nil {
			return err
		}
	}
	across, err := turns(ctx, append([]flow{{"virga", own.to(own.address)}, {"by hand", bare.to(l.addrB)}, {"by hand on the node", bare.to(beside.addrB)}}, docker.across()...)...)
	if err != nil {
		return err
	}
	if err := e.compare("network.across", "Gbit/s", across[0], goal{}, append([]measured{{"made by hand", across[1], ratioAtLeast(.95)},
		{"made by hand on the node", across[2], ratioAtLeast(.95)}}, docker.measured(across[3:])...)); err != nil {
		return err
	}
	node, err := turns(ctx, append([]flow{{"virga", own.to(gateway)}, {"by hand", bare.to(l.gateway)}}, docker.toNode()...)...)
	if err != nil {
		return err
	}
	return e.compare("network.node", "Gbit/s", node[0], goal{}, append([]measured{{"made by hand", node[1], ratioAtLeast(.95)}}, docker.measured(node[2:])...))
}

// iperfPair is two instances: one serves, one sends.
type iperfPair struct {
	e              *env
	server, client api.Instance
	address        netip.Addr // of the server
}

func (e *env) iperfPair(ctx context.Context, network string) (*iperfPair, error) {
	p := &iperfPair{e: e}
	err := errors.Join(
		e.start(ctx, &p.server, network, "iperf3", "-s"),
		e.start(ctx, &p.client, network, "/bin/busybox", "sleep", "100000"))
	if err != nil {
		p.close()
		return nil, err
	}
	if a := p.server.Status.Addresses; len(a) > 0 {
		p.address = a[0].Address
	}
	return p, nil
}

// start runs a program in an instance with the tools.
func (e *env) start(ctx context.Context, in *api.Instance, network string, args ...string) error {
	made, err := e.client.Create(ctx, api.CreateRequest{Spec: api.InstanceSpec{
		Image: toolsImage, Command: args, Networks: []api.Attachment{{Network: network}},
	}}, true)
	if err != nil {
		return err
	}
	in.ID = made.ID // to be removed, whatever becomes of it
	*in, err = e.client.Instance(ctx, made.ID)
	return err
}

// lab joins the instances, which have no network, by one that is made by hand.
func (p *iperfPair) lab(onNode bool) (*lab, error) {
	a, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", p.client.Status.PID))
	if err != nil {
		return nil, err
	}
	b, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", p.server.Status.PID))
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return newLab(a, b, onNode)
}

func (p *iperfPair) close() {
	for _, in := range []api.Instance{p.server, p.client} {
		if in.ID != "" {
			p.e.removed(in.ID)
		}
	}
}

// to sends from the client instance to an address.
func (p *iperfPair) to(at netip.Addr) func(context.Context) (float64, error) {
	return func(ctx context.Context) (float64, error) {
		args := append([]string{"--socket", p.e.socket, "exec", p.client.ID, "iperf3"}, iperfArgs(at, iperfPort)...)
		return iperf(exec.CommandContext(ctx, p.e.binary, args...))
	}
}

func iperfArgs(at netip.Addr, port int) []string {
	return []string{"-J", "-t", strconv.Itoa(throughputLength), "-c", at.String(), "-p", strconv.Itoa(port)}
}

// iperf runs a client of iperf3 and reads what arrived, in Gbit/s.
func iperf(cmd *exec.Cmd) (float64, error) { return iperfIn(nil, cmd) }

// iperfIn is iperf with the client in a network namespace; nil is the node's.
func iperfIn(ns *os.File, cmd *exec.Cmd) (float64, error) {
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	failed := startIn(ns, cmd)
	if failed == nil {
		failed = cmd.Wait()
	}
	var report struct {
		Error string
		End   struct {
			Received struct {
				Rate float64 `json:"bits_per_second"`
			} `json:"sum_received"`
		}
	}
	if err := json.Unmarshal(out.Bytes(), &report); err != nil || report.Error != "" || failed != nil {
		return 0, fmt.Errorf("iperf3: %v: %s%s", failed, report.Error, errs.String())
	}
	return report.End.Received.Rate / 1e9, nil
}

// iperfServer serves in a namespace until stop is called.
func iperfServer(ns *os.File, at netip.Addr) (stop func(), err error) {
	cmd := exec.Command("iperf3", "-s", "-B", at.String(), "-p", strconv.Itoa(iperfPort))
	if err := startIn(ns, cmd); err != nil {
		return nil, err
	}
	return func() { end(cmd) }, nil
}

// gateway is the node's address on the default network.
func (e *env) gateway(ctx context.Context) (netip.Addr, error) {
	n, err := e.client.Network(ctx, api.NetworkDefault)
	return n.Spec.Gateway, err
}

// listening waits until somebody accepts connections at an address.
func listening(ctx context.Context, ns *os.File, at netip.Addr) error {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := tryConnect(ns, netip.AddrPortFrom(at, iperfPort))
		if err == nil || time.Now().After(deadline) || ctx.Err() != nil {
			return err
		}
	}
}
