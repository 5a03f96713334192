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

const iperfPort = 5201

// networkThroughput sends from instance to instance and from instance to node,
// in turns with the same through bridges made by hand and through Docker's. The
// sender has one core and the receiver the other.
func networkThroughput(ctx context.Context, e *env) error { return e.throughput(ctx, "", twoCores) }

// networkOneCore is the same with both on one core: what a second of CPU time
// carries.
func networkOneCore(ctx context.Context, e *env) error { return e.throughput(ctx, ".core", oneCore) }

func (e *env) throughput(ctx context.Context, suffix, cores string) error {
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
	alone, err := bare.lab(nil)
	if err != nil {
		return err
	}
	defer alone.close()
	beside, err := bare.lab(e.net)
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
	}{{e.net, gateway}, {alone.node, alone.gateway}, {e.net, beside.gateway}} {
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
	}{{e.net, own.address}, {alone.node, alone.addrB}, {e.net, beside.addrB}} {
		if err := listening(ctx, to.ns, to.at); err != nil {
			return err
		}
	}
	for _, way := range []struct {
		name                string
		own, alone, besides netip.Addr
		docker              func() []flow
	}{
		{"network.across", own.address, alone.addrB, beside.addrB, docker.across},
		{"network.node", gateway, alone.gateway, beside.gateway, docker.toNode},
	} {
		s, err := turns(ctx, cores, append([]flow{{"virga", own.to(way.own)}, {"by hand", bare.to(way.alone)},
			{"by hand beside virga's", bare.to(way.besides)}}, way.docker()...)...)
		if err != nil {
			return err
		}
		if err := e.compareTurns(way.name+suffix, "Gbit/s", s[0], goal{}, append([]measured{{"made by hand", s[1], ratioAtLeast(.95)},
			{"made by hand, beside virga's", s[2], ratioAtLeast(.95)}}, docker.measured(s[3:])...)); err != nil {
			return err
		}
	}
	return nil
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

// lab joins the instances, which have no network, by one that is made by hand;
// newLab says where.
func (p *iperfPair) lab(beside *os.File) (*lab, error) {
	a, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", p.client.Status.PID))
	if err != nil {
		return nil, err
	}
	b, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", p.server.Status.PID))
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return newLab(a, b, beside)
}

func (p *iperfPair) close() {
	for _, in := range []api.Instance{p.server, p.client} {
		if in.ID != "" {
			p.e.removed(in.ID)
		}
	}
}

// to sends from the client instance to an address.
func (p *iperfPair) to(at netip.Addr) func(context.Context, string) (float64, error) {
	return func(ctx context.Context, cores string) (float64, error) {
		args := append([]string{"--socket", p.e.socket, "exec", p.client.ID, "iperf3"}, iperfArgs(at, iperfPort, cores)...)
		return iperf(exec.CommandContext(ctx, p.e.binary, args...))
	}
}

// iperfArgs are those of a client; cores are its core and the server's.
func iperfArgs(at netip.Addr, port int, cores string) []string {
	return []string{"-J", "-n", throughputBytes, "-A", cores, "-c", at.String(), "-p", strconv.Itoa(port)}
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
