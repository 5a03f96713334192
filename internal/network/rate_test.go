package network

import (
	"context"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/linux/namespace"
)

// TestRates measures what gets through each way, at rates that change while
// data flows.
func TestRates(t *testing.T) {
	f := newFabric(t, Config{})
	ctx := context.Background()
	r := request("limited")
	r.Rate = api.NetworkRate{IngressBPS: 20e6, EgressBPS: 10e6}
	a := attach(t, f, r)
	receive, send := flows(t, f, a)
	steady(t, "ingress", receive, 20e6)
	steady(t, "egress", send, 10e6)
	// A ready place is taken as it is: the rate is no reason for another one.
	for _, rate := range []api.NetworkRate{{IngressBPS: 8e6, EgressBPS: 30e6}, {EgressBPS: 5e6}} {
		for range 2 {
			if err := f.Limit(ctx, "idlimited", rate); err != nil {
				t.Fatal(err)
			}
		}
		if rate.IngressBPS != 0 {
			steady(t, "ingress", receive, float64(rate.IngressBPS))
		}
		steady(t, "egress", send, float64(rate.EgressBPS))
	}
	unlimited(t, "received", receive, 8e6)
	if err := f.Limit(ctx, "idlimited", api.NetworkRate{}); err != nil {
		t.Fatal(err)
	}
	unlimited(t, "sent", send, 5e6)
	if n := funnels(t, f); n != 0 {
		t.Errorf("%d intermediate links are left", n)
	}
	if err := f.Limit(ctx, "nobody", r.Rate); err != nil {
		t.Errorf("an instance without a network: %v", err)
	}
}

// TestRatesAreCollected makes sure that what limits an instance goes with it,
// and that what a killed daemon left is found.
func TestRatesAreCollected(t *testing.T) {
	f := newFabric(t, Config{})
	ctx := context.Background()
	r := request("gone")
	r.Rate = api.NetworkRate{EgressBPS: 10e6}
	a, err := f.Attach(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	if n := owned(t, f, "idgone"); n != 1 {
		t.Errorf("%d intermediate links are listed as the instance's", n)
	}
	// As if the daemon had been killed: the next one knows of no instance.
	f.mu.Lock()
	m := f.members["idgone"]
	delete(f.members, "idgone")
	f.mu.Unlock()
	if n := owned(t, f, ""); n != 1 {
		t.Errorf("%d intermediate links are listed as nobody's", n)
	}
	f.mu.Lock()
	f.members["idgone"] = m
	f.mu.Unlock()
	if err := f.Detach(ctx, "idgone"); err != nil {
		t.Fatal(err)
	}
	a.Close()
	for deadline := time.Now().Add(patience); funnels(t, f) != 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the intermediate link outlives its instance")
		}
	}
}

func owned(t *testing.T, f *Fabric, owner string) (n int) {
	t.Helper()
	all, err := f.Resources(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if r.Kind == kindFunnel && r.Owner == owner {
			n++
		}
	}
	return n
}

func funnels(t *testing.T, f *Fabric) (n int) {
	t.Helper()
	links, err := f.conn.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		if _, ok := f.funnelOwner(l); ok {
			n++
		}
	}
	return n
}

// steady fails unless a flow has a rate within a tenth, once what was under way
// before has passed. A machine that is busy gets a few tries.
func steady(t *testing.T, what string, flow func(time.Duration) float64, want float64) {
	t.Helper()
	var got float64
	for range 10 {
		flow(700 * time.Millisecond)
		if got = flow(2 * time.Second); got > want*.9 && got < want*1.1 {
			return
		}
	}
	t.Errorf("%s: %.2f Mbit/s of %.2f", what, got/1e6, want/1e6)
}

// unlimited waits until a flow is clearly faster than its limit was.
func unlimited(t *testing.T, what string, flow func(time.Duration) float64, limit float64) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		got := flow(time.Second)
		if got > 3*limit {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("without a limit %.2f Mbit/s are %s", got/1e6, what)
		}
	}
}

// flows are two streams between the node and an instance. Each measures what
// arrives, in bits per second without headers.
func flows(t *testing.T, f *Fabric, a *Attachment) (receive, send func(time.Duration) float64) {
	t.Helper()
	gateway := f.segments[api.NetworkDefault].gateway.String()
	node, err := net.Listen("tcp4", gateway+":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Close() })
	stream := func(fromNode bool) func(time.Duration) float64 {
		inside := dialIn(t, a.Sandbox.NetNS, node.Addr().(*net.TCPAddr))
		outside, err := node.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { outside.Close(); inside.Close() })
		from, to := inside, outside
		if fromNode {
			from, to = outside, inside
		}
		go func() {
			for b := make([]byte, 64<<10); ; {
				if _, err := from.Write(b); err != nil {
					return
				}
			}
		}()
		var arrived atomic.Int64
		go func() {
			for b := make([]byte, 64<<10); ; {
				n, err := to.Read(b)
				if err != nil {
					return
				}
				arrived.Add(int64(n))
			}
		}()
		return func(length time.Duration) float64 {
			before, began := arrived.Load(), time.Now()
			time.Sleep(length) // the length of the measurement
			return 8 * float64(arrived.Load()-before) / time.Since(began).Seconds()
		}
	}
	return stream(true), stream(false)
}

// dialIn opens a connection from a namespace.
func dialIn(t *testing.T, ns *os.File, to *net.TCPAddr) net.Conn {
	t.Helper()
	var file *os.File
	err := namespace.In(ns, func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		file = os.NewFile(uintptr(fd), "flow")
		return unix.Connect(fd, &unix.SockaddrInet4{Port: to.Port, Addr: to.AddrPort().Addr().Unmap().As4()})
	})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	c, err := net.FileConn(file)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
