package network

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/nftables"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/linux/namespace"
)

// eventually waits for a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s", what, patience)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// inside starts a process that sleeps in the namespaces of an attachment, as
// an instance's would.
func inside(t testing.TB, a *Attachment) *os.Process {
	t.Helper()
	var cmd *exec.Cmd
	err := namespace.In(a.Sandbox.NetNS, func() error {
		cmd = exec.Command("/bin/sleep", "600")
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: 0}
		return cmd.Start()
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd.Process
}

func TestInstancesOutliveTheDaemon(t *testing.T) {
	ctx := context.Background()
	f := openFabric(t, Config{})
	r := request("web")
	r.Ports = []api.Port{{Port: 80}}
	a, err := f.Attach(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	p := inside(t, a)
	listen(t, a.Sandbox.NetNS, ":80", "web")
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	at := fmt.Sprintf("127.0.0.1:%d", a.Ports[0].HostPort)
	if got, err := fetch(nil, at, patience); err != nil || !strings.HasPrefix(got, "web") {
		t.Fatalf("without a daemon: %q, %v", got, err)
	}
	f = newFabric(t, Config{})
	if got, err := fetch(nil, at, patience); err != nil || !strings.HasPrefix(got, "web") {
		t.Fatalf("before it is adopted: %q, %v", got, err)
	}
	// Its status was never stored: everything is read from the namespace.
	r.PID = p.Pid
	if err := f.Adopt(ctx, r, nil, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Detach(ctx, r.Instance) })
	if got, err := fetch(nil, at, patience); err != nil || !strings.HasPrefix(got, "web") {
		t.Fatalf("after it is adopted: %q, %v", got, err)
	}
	if s, err := f.Stats(ctx, r.Instance); err != nil || s.RxPackets == 0 {
		t.Errorf("stats %+v, %v", s, err)
	}
	late := request("late")
	late.Ports = []api.Port{{HostPort: a.Ports[0].HostPort, Port: 80}}
	if _, err := f.Attach(ctx, late); api.CodeOf(err) != api.CodeConflict {
		t.Errorf("its port is free: %v", err)
	}
	waitReady(t, f)
	for i := range 20 {
		other := attach(t, f, request(fmt.Sprint("other", i)))
		if other.Addresses[0].Address == a.Addresses[0].Address {
			t.Errorf("its address was given to another")
		}
	}
	// The links that the first daemon kept ready vanish with it, a little later.
	eventually(t, "every resource has an owner", func() bool {
		all, err := f.Resources(ctx)
		if err != nil {
			t.Fatal(err)
		}
		owned := map[string]int{}
		for _, r := range all {
			owned[r.Owner]++
		}
		return owned["idweb"] == 2 && owned[""] == 0
	})
	if err := f.Detach(ctx, r.Instance); err != nil {
		t.Fatal(err)
	}
	if _, err := fetch(nil, at, patience); err == nil {
		t.Errorf("port is published after Detach")
	}
}

func TestAddressIsKept(t *testing.T) {
	f := newFabric(t, Config{})
	r := request("web")
	a := attach(t, f, r)
	want := a.Addresses[0].Address
	for range 3 {
		r.Keep = a.Addresses
		a.Close()
		a = attach(t, f, r)
		if got := a.Addresses[0].Address; got != want {
			t.Fatalf("address %s, want %s", got, want)
		}
	}
	b := attach(t, f, request("b"))
	listen(t, a.Sandbox.NetNS, ":80", "kept")
	if _, err := fetch(b.Sandbox.NetNS, want.String()+":80", patience); err != nil {
		t.Error(err)
	}
	outsider(t)
	l, err := net.Listen("tcp4", "192.0.2.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			c.Close()
		}
	}()
	if _, err := fetch(a.Sandbox.NetNS, l.Addr().String(), patience); err != nil {
		t.Errorf("no way out after the address has changed: %v", err)
	}
}

func TestStaticAddress(t *testing.T) {
	f := newFabric(t, Config{Subnet: netip.MustParsePrefix("10.91.0.0/24")})
	r := request("a")
	r.Networks = []api.Attachment{{Network: "default", Address: "10.91.0.77", MAC: "02:00:00:00:00:77"}}
	a := attach(t, f, r)
	if got := a.Addresses[0]; got.Address.String() != "10.91.0.77" || got.MAC != "02:00:00:00:00:77" {
		t.Errorf("got %v", got)
	}
	r.Instance = "idb"
	if _, err := f.Attach(context.Background(), r); api.CodeOf(err) != api.CodeConflict {
		t.Errorf("taken address: %v", err)
	}
	waitReady(t, f)
	f.warm.mu.Lock()
	ready := f.warm.ready[0].ports[0].addr
	f.warm.mu.Unlock()
	p := request("p")
	p.UserNS, p.Networks = false, []api.Attachment{{Network: "default", Address: ready.String()}}
	if got := attach(t, f, p).Addresses[0].Address; got != ready {
		t.Errorf("address of a ready sandbox: got %s, want %s", got, ready)
	}
	for _, bad := range []string{"10.91.0.1", "10.92.0.1", "10.91.0.255", "x"} {
		r.Networks[0].Address = bad
		_, err := f.Attach(context.Background(), r)
		if c := api.CodeOf(err); c != api.CodeInvalid && c != api.CodeConflict {
			t.Errorf("address %s: %v", bad, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	f := newFabric(t, Config{})
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := uint16(l.Addr().(*net.TCPAddr).Port)
	for _, c := range []struct {
		what   string
		change func(*Request)
		code   api.Code
		text   string
	}{
		{"port of a process", func(r *Request) { r.Ports = []api.Port{{HostPort: taken, Port: 80}} }, api.CodeConflict, fmt.Sprint("process ", os.Getpid())},
		{"address of nobody", func(r *Request) { r.Ports = []api.Port{{HostIP: "198.51.100.7", Port: 80}} }, api.CodeInvalid, "not an address of the node"},
		{"no address", func(r *Request) { r.Ports = []api.Port{{HostIP: "x", Port: 80}} }, api.CodeInvalid, "x"},
		{"no port", func(r *Request) { r.Ports = []api.Port{{HostPort: 80}} }, api.CodeInvalid, "missing"},
		{"protocol", func(r *Request) { r.Ports = []api.Port{{Port: 80, Protocol: "sctp"}} }, api.CodeInvalid, "sctp"},
		{"network", func(r *Request) { r.Networks = []api.Attachment{{Network: "moon"}} }, api.CodeNotFound, "moon"},
		{"none and another", func(r *Request) { r.Networks = []api.Attachment{{Network: "none"}, {Network: "default"}} }, api.CodeInvalid, "combined"},
		{"ports without network", func(r *Request) {
			r.Networks = []api.Attachment{{Network: "none"}}
			r.Ports = []api.Port{{Port: 80}}
		}, api.CodeInvalid, "publish"},
		{"sysctl", func(r *Request) { r.Sysctls = map[string]string{"kernel.panic": "1"} }, api.CodeInvalid, "kernel.panic"},
		{"unknown sysctl", func(r *Request) { r.Sysctls = map[string]string{"net.no.such": "1"} }, api.CodeInvalid, "net.no.such"},
		{"name server", func(r *Request) { r.DNS = []string{"dns.example"} }, api.CodeInvalid, "dns.example"},
		{"hardware address", func(r *Request) { r.Networks = []api.Attachment{{Network: "default", MAC: "01:00:00:00:00:00"}} }, api.CodeInvalid, "hardware"},
	} {
		t.Run(c.what, func(t *testing.T) {
			r := request("bad")
			c.change(&r)
			a, err := f.Attach(context.Background(), r)
			if err == nil {
				a.Close()
				t.Fatal("was not refused")
			}
			if api.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%s: %v", api.CodeOf(err), err)
			}
		})
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.members) != 0 {
		t.Errorf("members left: %d", len(f.members))
	}
}

func TestRulesArePutBackAndOthersLeftAlone(t *testing.T) {
	c, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	f := newFabric(t, Config{})
	foreign := &nftables.Table{Name: "foreign", Family: nftables.TableFamilyINet}
	c.AddTable(foreign)
	c.AddChain(&nftables.Chain{Name: "mine", Table: foreign})
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.DelTable(foreign); c.Flush() })
	r := request("web")
	r.Ports = []api.Port{{Port: 80}}
	a := attach(t, f, r)
	listen(t, a.Sandbox.NetNS, ":80", "web")
	at := fmt.Sprintf("127.0.0.1:%d", a.Ports[0].HostPort)
	for _, flush := range []func(*nftables.Table){c.DelTable, c.FlushTable} {
		flush(&nftables.Table{Name: "virga", Family: nftables.TableFamilyINet})
		if err := c.Flush(); err != nil {
			t.Fatal(err)
		}
		if _, err := fetch(nil, at, time.Second); err == nil {
			t.Error("port is published without rules")
		}
		eventually(t, "rules are put back", func() bool {
			got, err := fetch(nil, at, time.Second)
			return err == nil && strings.HasPrefix(got, "web")
		})
	}
	for range 3 {
		if err := f.Set(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
	}
	if chains, err := c.ListChainsOfTableFamily(nftables.TableFamilyINet); err != nil || !hasChain(chains, "foreign") {
		t.Errorf("chain of another table is gone: %v", err)
	}
	if repaired, err := f.table.Repair(); repaired || err != nil {
		t.Errorf("rules that are right were repaired: %v, %v", repaired, err)
	}
}

func hasChain(chains []*nftables.Chain, table string) bool {
	for _, c := range chains {
		if c.Table.Name == table {
			return true
		}
	}
	return false
}

func TestNothingIsLeft(t *testing.T) {
	f := newFabric(t, Config{Ready: 4})
	waitReady(t, f)
	count := func() (links, fds int) {
		l, err := f.conn.List()
		if err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(l), len(entries)
	}
	links, fds := count()
	for i := range 20 {
		r := request(fmt.Sprint("n", i))
		r.Ports = []api.Port{{Port: 80}, {Port: 53, Protocol: "udp"}}
		a, err := f.Attach(context.Background(), r)
		if err != nil {
			t.Fatal(err)
		}
		a.Close()
		if err := f.Detach(context.Background(), r.Instance); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "links and descriptors are as before", func() bool {
		waitReady(t, f)
		l, d := count()
		return l <= links && d <= fds
	})
	if n := len(f.table.Published()); n != 0 {
		t.Errorf("%d ports are published", n)
	}
	f.mu.Lock()
	used := len(f.segments["default"].free.used)
	f.mu.Unlock()
	if used != 1+4 {
		t.Errorf("%d addresses are in use, want the gateway's and the 4 ready ones", used)
	}
}

func TestHostAndNone(t *testing.T) {
	f := newFabric(t, Config{})
	r := request("h")
	r.Networks = []api.Attachment{{Network: "host"}}
	h := attach(t, f, r)
	if h.Sandbox.NetNS != nil || h.Sandbox.UserNS == nil || h.Sandbox.IDs == 0 || len(h.Addresses) != 0 {
		t.Errorf("host: %+v", h)
	}
	r = request("n")
	r.Networks = []api.Attachment{{Network: "none"}}
	n := attach(t, f, r)
	if n.Sandbox.NetNS == nil || n.Sandbox.IDs == h.Sandbox.IDs || len(n.Addresses) != 0 {
		t.Errorf("none: %+v", n)
	}
	listen(t, n.Sandbox.NetNS, "127.0.0.1:80", "self")
	if _, err := fetch(n.Sandbox.NetNS, "127.0.0.1:80", patience); err != nil {
		t.Errorf("loopback of none: %v", err)
	}
	r = request("p")
	r.UserNS = false
	r.Sysctls = map[string]string{"net.ipv4.ip_forward": "0"}
	if p := attach(t, f, r); p.Sandbox.UserNS != nil || p.Sandbox.IDs != 0 || len(p.Addresses) != 1 {
		t.Errorf("privileged: %+v", p)
	}
}

func TestNamesAreResolvedInside(t *testing.T) {
	f := newFabric(t, Config{})
	r := request("db")
	r.Networks = []api.Attachment{{Network: "default", Aliases: []string{"database"}}}
	db := attach(t, f, r)
	web := attach(t, f, request("web"))
	if got, want := string(web.Resolv), "nameserver 10.90.0.1\nsearch default.virga.internal\n"; got != want {
		t.Errorf("resolv.conf %q, want %q", got, want)
	}
	if !strings.Contains(string(web.Hosts), web.Addresses[0].Address.String()+"\tweb\n") {
		t.Errorf("hosts %q", web.Hosts)
	}
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (c net.Conn, err error) {
		err = namespace.In(web.Sandbox.NetNS, func() error {
			c, err = (&net.Dialer{}).DialContext(ctx, network, "10.90.0.1:53")
			return err
		})
		return c, err
	}}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, name := range []string{"db.default.virga.internal.", "database.default.virga.internal."} {
		got, err := resolver.LookupNetIP(ctx, "ip4", name)
		if err != nil || len(got) != 1 || got[0].Unmap() != db.Addresses[0].Address {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	back, err := resolver.LookupAddr(ctx, db.Addresses[0].Address.String())
	if err != nil || len(back) != 1 || back[0] != "db.default.virga.internal." {
		t.Errorf("reverse: %v, %v", back, err)
	}
	if err := f.Detach(ctx, "iddb"); err != nil {
		t.Fatal(err)
	}
	if got, err := resolver.LookupNetIP(ctx, "ip4", "db.default.virga.internal."); err == nil {
		t.Errorf("detached instance is found: %v", got)
	}
}
