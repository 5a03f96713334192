package main

import (
	"bytes"
	"context"
	"encoding/json"
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
	l, err := newLab()
	if err != nil {
		return err
	}
	defer l.close()
	pair, err := e.iperfPair(ctx)
	if err != nil {
		return err
	}
	defer pair.close()
	gateway, err := e.gateway(ctx)
	if err != nil {
		return err
	}
	for _, s := range []struct {
		ns *os.File
		at netip.Addr
	}{{nil, gateway}, {l.node, l.gateway}, {l.b, l.addrB}} {
		stop, err := iperfServer(ctx, s.ns, s.at)
		if err != nil {
			return err
		}
		defer stop()
	}
	across, err := turns(ctx, flow{"virga", pair.to(pair.address)}, flow{"by hand", iperfIn(l.a, l.addrB)})
	if err != nil {
		return err
	}
	if err := e.compare("network.across", "Gbit/s", across[0], goal{}, []measured{{"made by hand", across[1], ratioAtLeast(.95)}}); err != nil {
		return err
	}
	node, err := turns(ctx, flow{"virga", pair.to(gateway)}, flow{"by hand", iperfIn(l.a, l.gateway)})
	if err != nil {
		return err
	}
	return e.compare("network.node", "Gbit/s", node[0], goal{}, []measured{{"made by hand", node[1], ratioAtLeast(.95)}})
}

// iperfPair is two instances: one serves, one sends.
type iperfPair struct {
	e              *env
	server, client string
	address        netip.Addr // of the server
}

func (e *env) iperfPair(ctx context.Context) (*iperfPair, error) {
	p := &iperfPair{e: e}
	run := func(args ...string) (api.Instance, error) {
		return e.client.Create(ctx, api.CreateRequest{Spec: api.InstanceSpec{Image: toolsImage, Command: args}}, true)
	}
	server, err := run("iperf3", "-s")
	if err != nil {
		return nil, err
	}
	p.server = server.ID
	client, err := run("/bin/busybox", "sleep", "100000")
	if err != nil {
		p.close()
		return nil, err
	}
	p.client = client.ID
	if server, err = e.client.Instance(ctx, server.ID); err == nil {
		p.address = server.Status.Addresses[0].Address
		err = listening(ctx, p.address)
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *iperfPair) close() {
	for _, id := range []string{p.server, p.client} {
		if id != "" {
			p.e.removed(id)
		}
	}
}

// to sends from the client instance to an address.
func (p *iperfPair) to(at netip.Addr) func(context.Context) (float64, error) {
	return func(ctx context.Context) (float64, error) {
		args := append([]string{"--socket", p.e.socket, "exec", p.client, "iperf3"}, iperfArgs(at, iperfPort)...)
		return iperf(nil, exec.CommandContext(ctx, p.e.binary, args...))
	}
}

// iperfIn sends from a network namespace.
func iperfIn(ns *os.File, at netip.Addr) func(context.Context) (float64, error) {
	return func(ctx context.Context) (float64, error) {
		return iperf(ns, exec.CommandContext(ctx, "iperf3", iperfArgs(at, iperfPort)...))
	}
}

func iperfArgs(at netip.Addr, port int) []string {
	return []string{"-J", "-t", strconv.Itoa(throughputLength), "-c", at.String(), "-p", strconv.Itoa(port)}
}

// iperf runs a client of iperf3 in a namespace and reads what arrived, in Gbit/s.
func iperf(ns *os.File, cmd *exec.Cmd) (float64, error) {
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := startIn(ns, cmd); err != nil {
		return 0, err
	}
	failed := cmd.Wait()
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
func iperfServer(ctx context.Context, ns *os.File, at netip.Addr) (stop func(), err error) {
	cmd := exec.Command("iperf3", "-s", "-B", at.String(), "-p", strconv.Itoa(iperfPort))
	if err := startIn(ns, cmd); err != nil {
		return nil, err
	}
	if err := listeningIn(ctx, ns, at); err != nil {
		end(cmd)
		return nil, err
	}
	return func() { end(cmd) }, nil
}

// gateway is the node's address on the default network.
func (e *env) gateway(ctx context.Context) (netip.Addr, error) {
	n, err := e.client.Network(ctx, api.NetworkDefault)
	return n.Spec.Gateway, err
}

func listening(ctx context.Context, at netip.Addr) error { return listeningIn(ctx, nil, at) }

// listeningIn waits until somebody accepts connections at an address.
func listeningIn(ctx context.Context, ns *os.File, at netip.Addr) error {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := tryConnect(ns, netip.AddrPortFrom(at, iperfPort))
		if err == nil || time.Now().After(deadline) || ctx.Err() != nil {
			return err
		}
	}
}
