package network

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/linux/link"
	"github.com/virga-cloud/virga/internal/linux/namespace"
)

// patience bounds waits for what must happen, on a machine that may be busy.
const patience = 30 * time.Second

func newFabric(t testing.TB, c Config) *Fabric {
	t.Helper()
	f := openFabric(t, c)
	t.Cleanup(func() {
		if err := errors.Join(f.Clear(), f.Close()); err != nil {
			t.Error(err)
		}
	})
	return f
}

// openFabric is newFabric for a test that ends it as a daemon does.
func openFabric(t testing.TB, c Config) *Fabric {
	t.Helper()
	needRoot(t)
	c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	f, err := New(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.conn.Do(link.Up(1)); err != nil {
		t.Fatal(err)
	}
	return f
}

func attach(t testing.TB, f *Fabric, r Request) *Attachment {
	t.Helper()
	a, err := f.Attach(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		a.Close()
		if err := f.Detach(context.Background(), r.Instance); err != nil {
			t.Error(err)
		}
	})
	return a
}

func request(name string) Request {
	return Request{Instance: "id" + name, Name: name, Project: "default", UserNS: true}
}

// listen serves one word to every client on a port inside ns.
func listen(t testing.TB, ns *os.File, addr, word string) {
	t.Helper()
	listenAt(t, ns, "tcp4", addr, word)
}

func listenAt(t testing.TB, ns *os.File, family, addr, word string) {
	t.Helper()
	var l net.Listener
	err := namespace.In(ns, func() (err error) {
		l, err = net.Listen(family, addr)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(c, word, " ", c.RemoteAddr().(*net.TCPAddr).IP)
			c.Close()
		}
	}()
}

// fetch reads all that a server has to say, from inside ns. The socket is made
// in the namespace by a raw dial on the locked thread.
func fetch(ns *os.File, addr string, limit time.Duration) (string, error) {
	var out string
	err := namespace.In(ns, func() error {
		d := net.Dialer{Timeout: limit}
		c, err := d.Dial("tcp", addr)
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(limit)); err != nil {
			return err
		}
		b, err := io.ReadAll(c)
		out = string(b)
		return err
	})
	return out, err
}

func TestInstancesReachEachOther(t *testing.T) {
	f := newFabric(t, Config{})
	a, b := attach(t, f, request("a")), attach(t, f, request("b"))
	if a.Addresses[0].Address == b.Addresses[0].Address {
		t.Fatalf("both have address %s", a.Addresses[0].Address)
	}
	listen(t, b.Sandbox.NetNS, ":80", "hello")
	got, err := fetch(a.Sandbox.NetNS, b.Addresses[0].Address.String()+":80", patience)
	if err != nil {
		t.Fatal(err)
	}
	if want := "hello " + a.Addresses[0].Address.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	s, err := f.Stats(context.Background(), "ida")
	if err != nil {
		t.Fatal(err)
	}
	if s.RxBytes == 0 || s.TxBytes == 0 || s.TxPackets < 4 {
		t.Errorf("stats %+v", s)
	}
}

func TestPublishedPort(t *testing.T) {
	f := newFabric(t, Config{})
	r := request("web")
	r.Ports = []api.Port{{Port: 80}, {HostPort: 8081, Port: 80, HostIP: "127.0.0.1"}}
	web := attach(t, f, r)
	other := attach(t, f, request("other"))
	listen(t, web.Sandbox.NetNS, ":80", "web")
	if web.Ports[0].HostPort == 0 {
		t.Fatal("no host port was chosen")
	}
	port := web.Ports[0].HostPort
	outside := outsider(t)
	for _, c := range []struct {
		name, addr string
		from       *os.File
	}{
		{"node by loopback", fmt.Sprintf("127.0.0.1:%d", port), nil},
		{"node by loopback only", "127.0.0.1:8081", nil},
		{"node by gateway", fmt.Sprintf("%s:%d", web.Addresses[0].Gateway, port), nil},
		{"another instance", fmt.Sprintf("%s:%d", web.Addresses[0].Gateway, port), other.Sandbox.NetNS},
		{"the instance itself", fmt.Sprintf("%s:%d", web.Addresses[0].Gateway, port), web.Sandbox.NetNS},
		{"outside", fmt.Sprintf("192.0.2.1:%d", port), outside},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := fetch(c.from, c.addr, patience)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(got, "web ") {
				t.Errorf("got %q", got)
			}
			if c.name == "outside" && got != "web 192.0.2.2" {
				t.Errorf("client's address is not kept: %q", got)
			}
		})
	}
	r = request("late")
	r.Ports = []api.Port{{HostPort: port, Port: 80}}
	_, err := f.Attach(context.Background(), r)
	if api.CodeOf(err) != api.CodeConflict || !strings.Contains(err.Error(), "instance web") {
		t.Errorf("taken port: %v", err)
	}
}

// outsider is a machine beside the node: 192.0.2.2, with the node at 192.0.2.1.
func outsider(t testing.TB) *os.File {
	t.Helper()
	ns, err := namespace.NewNet()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ns.Close() })
	here, err := link.Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	there, err := link.Open(ns)
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	if err := here.Do(link.AddBridge("outside", 1500, net.HardwareAddr{2, 0, 0, 0, 0, 1})); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if c, err := link.Open(nil); err == nil {
			c.Do(link.Delete("outside"))
			c.Close()
		}
	})
	br, err := here.ByName("outside")
	if err != nil {
		t.Fatal(err)
	}
	if err := here.Do(
		link.AddAddress(br.Index, netip.MustParsePrefix("192.0.2.1/24")),
		link.AddVeth(link.Veth{Name: "outside-v", Master: br.Index, MTU: 1500, MAC: net.HardwareAddr{2, 0, 0, 0, 0, 2},
			Peer: "eth0", PeerMAC: net.HardwareAddr{2, 0, 0, 0, 0, 3}, PeerNS: ns}),
	); err != nil {
		t.Fatal(err)
	}
	l, err := there.ByName("eth0")
	if err != nil {
		t.Fatal(err)
	}
	if err := there.Do(link.Up(1), link.Up(l.Index), link.AddAddress(l.Index, netip.MustParsePrefix("192.0.2.2/24"))); err != nil {
		t.Fatal(err)
	}
	return ns
}

// outside6 gives the outsider and the node IPv6 addresses too: 2001:db8::2
// and 2001:db8::1.
func outside6(t testing.TB, ns *os.File) {
	t.Helper()
	for _, c := range []struct {
		ns            *os.File
		name, address string
	}{{nil, "outside", "2001:db8::1/64"}, {ns, "eth0", "2001:db8::2/64"}} {
		conn, err := link.Open(c.ns)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		l, err := conn.ByName(c.name)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Do(link.AddAddress(l.Index, netip.MustParsePrefix(c.address))); err != nil {
			t.Fatal(err)
		}
		if c.ns != nil {
			if err := conn.Do(link.AddDefaultRoute(l.Index, netip.MustParseAddr("2001:db8::1"), 1024)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func BenchmarkAttach(b *testing.B) {
	f := newFabric(b, Config{Ready: 64})
	waitReady(b, f)
	var took []time.Duration
	for i := range b.N {
		r := request(fmt.Sprint("x", i))
		start := time.Now()
		a, err := f.Attach(b.Context(), r)
		if err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
		a.Close()
		if err := f.Detach(b.Context(), r.Instance); err != nil {
			b.Fatal(err)
		}
		waitReady(b, f)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "µs-median")
	b.ReportMetric(float64(took[len(took)*95/100].Microseconds()), "µs-p95")
}

func waitReady(t testing.TB, f *Fabric) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		f.warm.mu.Lock()
		n := len(f.warm.ready)
		f.warm.mu.Unlock()
		if n == f.warm.size {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d sandboxes are ready, want %d", n, f.warm.size)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestDissolveLeavesNothing(t *testing.T) {
	needRoot(t)
	c := Config{Prefix: "dslv", Log: slog.New(slog.DiscardHandler), Subnet: netip.MustParsePrefix("10.97.0.0/20")}
	f, err := New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Dissolve(); err != nil {
		t.Fatal(err)
	}
	conn, err := link.Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if l, err := conn.ByName("dslv0"); err == nil {
		t.Errorf("left: %+v", l)
	}
}
