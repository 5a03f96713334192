package nft

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	vnl "github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	netlink "github.com/virga-cloud/virga/internal/linux/link"
)

// world is a node whose backends are addresses of its loopback.
type world struct {
	*Balance
	base     string // of its addresses
	vip, any netip.AddrPort
}

// at is an address of the world with a port: "0.2:80" is a backend's.
func (w *world) at(rest string) string {
	host, port, _ := strings.Cut(rest, ":")
	return net.JoinHostPort(w.base+host, port)
}

// worlds runs a test in both families.
func worlds(t *testing.T, test func(t *testing.T, w *world)) {
	t.Run("IPv4", func(t *testing.T) {
		test(t, &world{Balance: newWorld(t), base: "10.77.", vip: netip.MustParseAddrPort("10.77.0.100:80"), any: netip.MustParseAddrPort("0.0.0.0:8080")})
	})
	t.Run("IPv6", func(t *testing.T) {
		test(t, &world{Balance: newWorld(t), base: "fd77::10.77.", vip: netip.MustParseAddrPort("[fd77::10.77.0.100]:80"), any: netip.MustParseAddrPort("[::]:8080")})
	})
}

func newWorld(t *testing.T) *Balance {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	c, err := netlink.Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	lo, err := c.ByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	reqs := []netlink.Request{netlink.Up(lo.Index)}
	for _, a := range []string{"10.77.0.1", "10.77.0.2", "10.77.0.3", "10.77.0.100", "10.77.1.1", "10.77.1.2", "10.77.1.3", "10.77.1.4"} {
		reqs = append(reqs, netlink.AddAddress(lo.Index, netip.MustParsePrefix(a+"/32")), netlink.AddAddress(lo.Index, netip.MustParsePrefix("fd77::"+a+"/128")))
	}
	if err := c.Do(reqs...); err != nil {
		t.Fatal(err)
	}
	b, err := OpenBalance("test-services", "vt")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Delete(); err != nil {
			t.Error(err)
		}
		b.Close()
	})
	return b
}

// serve answers connections to an address with it and the client's.
func serve(t *testing.T, addr string) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	t.Cleanup(func() { // the next test may use the client's ports again
		if err := ForgetEnded([]netip.AddrPort{netip.MustParseAddrPort(addr)}); err != nil {
			t.Error(err)
		}
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprintf(c, "%s %s\n", l.Addr(), c.RemoteAddr().(*net.TCPAddr).IP)
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	return netip.MustParseAddrPort(addr)
}

// ask connects from an address, and returns what the backend says.
func ask(t *testing.T, from string, to netip.AddrPort) (backend, client string, c net.Conn) {
	t.Helper()
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 30 * time.Second}
	c, err := d.Dial("tcp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := fmt.Fscanln(c, &backend, &client); err != nil {
		t.Fatal(err)
	}
	return backend, client, c
}

func (w *world) set(t *testing.T, sticky bool, targets ...Target) {
	t.Helper()
	ports := []Balanced{
		{Protocol: unix.IPPROTO_TCP, At: w.vip, Sticky: sticky, Targets: targets},
		{Protocol: unix.IPPROTO_TCP, At: w.any, Sticky: sticky, Targets: targets},
	}
	if err := w.Set(ports, []netip.Addr{w.vip.Addr()}); err != nil {
		t.Fatal(err)
	}
}

func TestConnectionsAreSpreadByWeight(t *testing.T) { worlds(t, connectionsAreSpreadByWeight) }

func connectionsAreSpreadByWeight(t *testing.T, w *world) {
	a, b := serve(t, w.at("0.2:8000")), serve(t, w.at("0.3:8000"))
	w.set(t, false, Target{a, 3}, Target{b, 1})
	for _, at := range []netip.AddrPort{w.vip, netip.MustParseAddrPort(w.at("0.1:8080"))} {
		seen := map[string]int{}
		for range 200 {
			backend, client, c := ask(t, w.base+"1.1", at)
			seen[backend]++
			if client != netip.MustParseAddr(w.base+"1.1").String() {
				t.Fatalf("the backend sees %s, not the client", client)
			}
			c.Close()
		}
		// 150 expected; five standard deviations are 31.
		if n := seen[a.String()]; n < 119 || n > 181 {
			t.Errorf("%s: %v, want about 3 to 1", at, seen)
		}
	}
}

func TestASourceStaysAtItsBackend(t *testing.T) { worlds(t, aSourceStaysAtItsBackend) }

func aSourceStaysAtItsBackend(t *testing.T, w *world) {
	a, b := serve(t, w.at("0.2:8001")), serve(t, w.at("0.3:8001"))
	w.set(t, true, Target{a, 1}, Target{b, 1})
	for i := 1; i <= 4; i++ {
		from := fmt.Sprint(w.base, "1.", i)
		first, _, c := ask(t, from, w.vip)
		c.Close()
		for range 20 {
			if next, _, c := ask(t, from, w.vip); next != first {
				t.Fatalf("%s was at %s, then at %s", from, first, next)
			} else {
				c.Close()
			}
		}
	}
}

func TestConnectionsOutliveTheirBackendsShare(t *testing.T) {
	worlds(t, connectionsOutliveTheirBackendsShare)
}

func connectionsOutliveTheirBackendsShare(t *testing.T, w *world) {
	a, b := serve(t, w.at("0.2:8002")), serve(t, w.at("0.3:8002"))
	w.set(t, false, Target{a, 1})
	_, _, open := ask(t, w.base+"1.1", w.vip)
	if n, err := Connections([]netip.AddrPort{a}); n != 1 || err != nil {
		t.Errorf("%d connections to the backend, %v; want the one that is open", n, err)
	}
	direct, err := net.Dial("tcp", a.String())
	if err != nil {
		t.Fatal(err)
	}
	defer direct.Close()
	w.set(t, false, Target{b, 1})
	if n, err := Connections([]netip.AddrPort{a}); n != 1 || err != nil {
		t.Errorf("%d connections without its share, %v; want the one that is open", n, err)
	}
	if backend, _, _ := ask(t, w.base+"1.1", w.vip); backend != b.String() {
		t.Errorf("a new connection went to %s", backend)
	}
	if err := w.write(); err != nil {
		t.Fatal(err)
	}
	var back string
	fmt.Fprintln(open, "still-here")
	if _, err := fmt.Fscanln(open, &back); err != nil || back != "still-here" {
		t.Errorf("the old connection: %q, %v", back, err)
	}
	open.Close()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		n, err := Connections([]netip.AddrPort{a})
		if n == 0 && err == nil {
			break
		}
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("%d connections after the only one was closed, %v", n, err)
		}
	}
	if n := remembered(t, a); n == 0 {
		t.Error("the kernel remembers no connection that has ended, so that the test shows nothing")
	}
	if err := ForgetEnded([]netip.AddrPort{a, b}); err != nil || remembered(t, a) != 0 {
		t.Errorf("%d connections that have ended are remembered, %v", remembered(t, a), err)
	}
	w.set(t, false)
	if c, err := net.DialTimeout("tcp", w.vip.String(), 30*time.Second); err == nil {
		c.Close()
		t.Error("a connection without backends was accepted")
	}
}

// remembered counts the kernel's connections that were led to a backend, also
// those that have ended.
func remembered(t *testing.T, backend netip.AddrPort) (n int) {
	t.Helper()
	family := []vnl.InetFamily{unix.AF_INET, unix.AF_INET6}[version(backend.Addr())]
	flows, err := vnl.ConntrackTableList(vnl.ConntrackTable, family)
	if err != nil && !errors.Is(err, vnl.ErrDumpInterrupted) {
		t.Fatal(err)
	}
	for _, f := range flows {
		if _, ok := led(f, []netip.AddrPort{backend}); ok {
			n++
		}
	}
	return n
}

func TestAFlushedBalanceIsPutBack(t *testing.T) { worlds(t, aFlushedBalanceIsPutBack) }

func aFlushedBalanceIsPutBack(t *testing.T, w *world) {
	a := serve(t, w.at("0.2:8003"))
	w.set(t, false, Target{a, 1})
	for range 2 {
		if repaired, err := w.Repair(); repaired || err != nil {
			t.Fatalf("repaired %v, %v", repaired, err)
		}
	}
	w.mu.Lock()
	err := w.clear()
	w.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if repaired, err := w.Repair(); !repaired || err != nil {
		t.Fatalf("repaired %v, %v", repaired, err)
	}
	ask(t, w.base+"1.1", w.vip)
	// A Set over a table that is not there writes it whole.
	w.mu.Lock()
	err = w.clear()
	w.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	b := serve(t, w.at("0.3:8003"))
	w.set(t, false, Target{b, 1})
	ask(t, w.base+"1.1", w.vip)
}

func TestDatagramsFollowWhenTheirBackendGoes(t *testing.T) {
	worlds(t, datagramsFollowWhenTheirBackendGoes)
}

func datagramsFollowWhenTheirBackendGoes(t *testing.T, w *world) {
	backend := func(addr string) netip.AddrPort {
		c, err := net.ListenPacket("udp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		go func() {
			b := make([]byte, 64)
			for {
				_, from, err := c.ReadFrom(b)
				if err != nil {
					return
				}
				c.WriteTo([]byte(c.LocalAddr().String()), from)
			}
		}()
		return netip.MustParseAddrPort(addr)
	}
	a, b := backend(w.at("0.2:5300")), backend(w.at("0.3:5300"))
	set := func(to netip.AddrPort) {
		ports := []Balanced{{Protocol: unix.IPPROTO_UDP, At: netip.MustParseAddrPort(w.at("0.100:53")), Targets: []Target{{to, 1}}}}
		if err := w.Set(ports, nil); err != nil {
			t.Fatal(err)
		}
	}
	set(a)
	c, err := net.Dial("udp", w.at("0.100:53"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, want := range []netip.AddrPort{a, a, b, b, a} {
		set(want)
		c.SetDeadline(time.Now().Add(30 * time.Second))
		fmt.Fprint(c, "x")
		got := make([]byte, 64)
		n, err := c.Read(got)
		if err != nil || string(got[:n]) != want.String() {
			t.Fatalf("%q answers (%v), want %s", got[:n], err, want)
		}
	}
}

// TestBalanceOfManyServices fills the table as a large node has it, which is
// more than a socket's buffer holds by default.
func TestBalanceOfManyServices(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	b, err := OpenBalance("virga-many", "virga")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(b.Delete(), b.Close()); err != nil {
			t.Error(err)
		}
	})
	var ports []Balanced
	for i := range 300 {
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 90, byte(i / 250), byte(i % 250)}), 80)
		to := Target{To: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 91, 0, byte(i % 250)}), 80), Weight: 1}
		ports = append(ports, Balanced{Protocol: unix.IPPROTO_TCP, At: at, Targets: []Target{to}})
	}
	if err := b.Set(ports, nil); err != nil {
		t.Fatal(err)
	}
	if repaired, err := b.Repair(); err != nil || repaired {
		t.Errorf("repaired %t, %v", repaired, err)
	}
}
