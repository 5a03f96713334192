package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/internal/linux/nft"
	"github.com/virga-cloud/virga/internal/network"
)

// The size of the node whose rules are changed.
const (
	changeInstances = 1000
	changeServices  = 200
	changeTargets   = 5 // behind each service
	changeRuns      = 50
)

// insideEnv tells the benchmark's own program, run again in a network namespace
// of its own, what to measure there.
const insideEnv = "VIRGA_BENCH_INSIDE"

// inside is what the program measures in a namespace of its own, by name.
var inside = map[string]func(context.Context) (map[string]samples, error){
	"attach": attachInside,
	"change": changeInside,
}

// runInside measures and prints; false when the program is not inside.
func runInside(ctx context.Context) (bool, error) {
	f, ok := inside[os.Getenv(insideEnv)]
	if !ok {
		return false, nil
	}
	result, err := f(ctx)
	if err != nil {
		return true, err
	}
	return true, json.NewEncoder(os.Stdout).Encode(result)
}

// measureInside runs the program again in a namespace of its own.
func measureInside(ctx context.Context, what string) (map[string]samples, error) {
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Env = append(os.Environ(), insideEnv+"="+what)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var result map[string]samples
	return result, json.Unmarshal(out, &result)
}

// networkAttach measures what a start waits for the network.
func networkAttach(ctx context.Context, e *env) error {
	result, err := measureInside(ctx, "attach")
	if err != nil {
		return err
	}
	return e.compare("network.attach", "ms", result["attach"], atMost(1), nil)
}

func attachInside(ctx context.Context) (map[string]samples, error) {
	f, err := network.New(ctx, network.Config{})
	if err != nil {
		return nil, err
	}
	defer f.Dissolve()
	var s samples
	for i := range 100 {
		if err := pause(ctx, 100*time.Millisecond); err != nil { // the pool fills
			return nil, err
		}
		r := network.Request{Instance: fmt.Sprint("bench", i), Name: "bench", UserNS: true}
		began := time.Now()
		a, err := f.Attach(ctx, r)
		took := time.Since(began)
		if err != nil {
			return nil, err
		}
		if i >= 10 {
			s = append(s, ms(took))
		}
		if err := f.Detach(ctx, r.Instance); err != nil {
			return nil, err
		}
		a.Close()
	}
	return map[string]samples{"attach": s}, nil
}

// networkChange measures changes of the rules of a full node, while packets of
// established flows go through them.
func networkChange(ctx context.Context, e *env) error {
	result, err := measureInside(ctx, "change")
	if err != nil {
		return err
	}
	for _, f := range []struct{ name, about string }{
		{"network.change.service", "another instance behind a service"},
		{"network.change.port", "a port is published and taken back"},
		{"network.change.link", "another instance is guarded"},
		{"network.change.network", "another network: the table is written anew"},
	} {
		s := result[f.name]
		if err := e.record(figure{Name: f.name, Value: s.median(), P95: s.p95(), N: len(s), Unit: "ms", About: f.about}, atMost(50)); err != nil {
			return err
		}
	}
	lost := result["lost"]
	return e.record(figure{Name: "network.change.lost", Value: lost[0], N: int(lost[1]), Unit: "packets", About: "of a flow during all changes"}, atMost(0))
}

// changeInside fills the tables of a node and changes them.
func changeInside(ctx context.Context) (_ map[string]samples, err error) {
	n, err := newFullNode()
	if err != nil {
		return nil, err
	}
	flow, err := startFlow()
	if err != nil {
		return nil, err
	}
	result := map[string]samples{}
	measure := func(name string, change func(i int) error) {
		for i := range changeRuns {
			began := time.Now()
			if err == nil {
				err = change(i)
			}
			result[name] = append(result[name], ms(time.Since(began)))
		}
	}
	measure("network.change.service", func(i int) error {
		s := n.services[i%changeServices]
		s.Targets = append([]nft.Target{}, s.Targets[1:]...)
		n.services[i%changeServices] = s
		return n.balance.Set(n.services, n.fronts)
	})
	measure("network.change.port", func(i int) error {
		p := nft.Published{Protocol: unix.IPPROTO_TCP, Host: netip.IPv4Unspecified(), HostPort: uint16(40000 + i), To: netip.AddrPortFrom(instanceAddr(0), 80)}
		if err := n.table.Publish(p); err != nil {
			return err
		}
		return n.table.Unpublish(p)
	})
	measure("network.change.link", func(i int) error {
		return n.guard.Put(guardedLink(changeInstances + i))
	})
	measure("network.change.network", func(i int) error {
		return n.table.Set(append(n.networks, nft.Network{Bridge: "more", Subnets: []netip.Prefix{netip.MustParsePrefix("10.200.0.0/24")}})[:len(n.networks)+i%2])
	})
	sent, lost := flow.stop()
	result["lost"] = samples{float64(lost), float64(sent)}
	return result, err
}

// fullNode is the rules of a node with many instances and services.
type fullNode struct {
	table    *nft.Table
	balance  *nft.Balance
	guard    *nft.Guard
	networks []nft.Network
	services []nft.Balanced
	fronts   []netip.Addr
}

func newFullNode() (n *fullNode, err error) {
	n = &fullNode{networks: []nft.Network{{Bridge: "virga0", Subnets: []netip.Prefix{netip.MustParsePrefix("10.90.0.0/16")}}}}
	if n.table, err = nft.Open("virga"); err != nil {
		return nil, err
	}
	if n.balance, err = nft.OpenBalance("virga-services", "virga"); err != nil {
		return nil, err
	}
	if n.guard, err = nft.OpenGuard("virga-guard", func(int) bool { return false }); err != nil {
		return nil, err
	}
	if err := n.table.Set(n.networks); err != nil {
		return nil, err
	}
	var links []nft.Guarded
	for i := range changeInstances {
		links = append(links, guardedLink(i))
		p := nft.Published{Protocol: unix.IPPROTO_TCP, Host: netip.IPv4Unspecified(), HostPort: uint16(20000 + i), To: netip.AddrPortFrom(instanceAddr(i), 80)}
		if err := n.table.Publish(p); err != nil {
			return nil, err
		}
	}
	if err := n.guard.Put(links...); err != nil {
		return nil, err
	}
	for i := range changeServices {
		front := netip.AddrFrom4([4]byte{10, 90, 250, byte(i)})
		s := nft.Balanced{Protocol: unix.IPPROTO_TCP, At: netip.AddrPortFrom(front, 80)}
		for j := range changeTargets {
			s.Targets = append(s.Targets, nft.Target{To: netip.AddrPortFrom(instanceAddr(i*changeTargets+j), 80), Weight: 1})
		}
		n.services, n.fronts = append(n.services, s), append(n.fronts, front)
	}
	return n, n.balance.Set(n.services, n.fronts)
}

func instanceAddr(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 90, byte(1 + i/250), byte(1 + i%250)})
}

func guardedLink(i int) nft.Guarded {
	a := instanceAddr(i)
	b := a.As4()
	return nft.Guarded{Link: 10_000 + i, MAC: net.HardwareAddr{2, 0x76, b[0], b[1], b[2], b[3]}, Addrs: []netip.Addr{a}}
}
