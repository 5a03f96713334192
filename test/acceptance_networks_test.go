package test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/virga-cloud/virga/internal/linux/link"
	"github.com/virga-cloud/virga/internal/linux/namespace"
)

// A group of web servers and an internal database from Debian's packages on two
// networks: from outside only the service answers, the database is reached by
// the web servers alone and reaches nobody, and a roll of the web servers under
// load fails no request.
func TestWebGroupAndInternalDatabase(t *testing.T) {
	d := Start(t)
	image := d.Debian(t)
	port := freePort(t)
	for _, args := range []string{"network create shop", "network create --internal store"} {
		args := fields(args)
		d.Must(t, args...)
		t.Cleanup(func() { d.CLI("network", "rm", args[len(args)-1]) })
	}
	t.Cleanup(func() { d.CLI("rm", "-f", "db", "stranger") })
	d.noGroup(t, "web")
	d.Must(t, "run", "-d", "--name", "db", "--network", "store", image, "redis-server", "--protected-mode", "no", "--save", "")
	d.Must(t, "run", "-d", "--name", "stranger", "--network", "shop", image, "sleep", "100000")
	d.Must(t, "group", "create", "web", "--replicas", "2", "--image", image, "--network", "shop", "--network", "store", "--wait", "--",
		"nginx", "-g", "daemon off;")
	d.Must(t, "network", "allow", "web", "db:6379/tcp")
	t.Cleanup(func() {
		for _, id := range fields(d.CLI("network", "rules", "-q").Stdout) {
			d.CLI("network", "rules", "rm", id)
		}
	})
	d.front(t, "web", "--group", "web", "--network", "shop", "--port", "80:80", "--http", "--publish", fmt.Sprint(port), "--check", "http:/")
	s := d.awaitUp(t, "web", 2)
	page := fmt.Sprintf("http://127.0.0.1:%d/", port)
	eventuallyGet(t, page, "Welcome to nginx")

	ping := func(from string) (bool, string) {
		r := d.CLI("exec", from, "timeout", "10", "redis-cli", "-h", "db", "ping")
		return strings.TrimSpace(r.Stdout) == "PONG", r.String()
	}
	for _, in := range d.members(t, "web") {
		eventually(t, in.Name+" reaches the database", func() (bool, string) { return ping(in.Name) })
	}
	db, web := d.Inspect(t, "db").Status.Addresses[0].Address, d.members(t, "web")[0].Status.Addresses[0].Address
	for _, q := range []struct{ from, at string }{
		{"stranger", fmt.Sprintf("%s/6379", db)},
		{"db", fmt.Sprintf("%s/80", web)},
		{"db", fmt.Sprintf("%s/80", s.Address)},
	} {
		if r := d.CLI("exec", q.from, "timeout", "1", "bash", "-c", "exec 3<>/dev/tcp/"+q.at); r.Code == 0 {
			t.Errorf("%s reaches %s", q.from, q.at)
		}
	}

	// From outside, with a route to everything by the node.
	out := outsideOf(t)
	reach := func(at string, limit time.Duration) error {
		return namespace.In(out.ns, func() error {
			c, err := net.DialTimeout("tcp", at, limit)
			if err == nil {
				c.Close()
			}
			return err
		})
	}
	if err := reach(fmt.Sprintf("%s:%d", out.node, port), patience()); err != nil {
		t.Errorf("the service from outside: %v", err)
	}
	for what, at := range map[string]string{"the service's own address": fmt.Sprintf("%s:80", s.Address),
		"a web server": fmt.Sprintf("%s:80", web), "the database": fmt.Sprintf("%s:6379", db)} {
		if reach(at, 300*time.Millisecond) == nil {
			t.Errorf("%s answers outside", what)
		}
	}
	listener, err := net.Listen("tcp", netip.AddrPortFrom(out.node, 0).String())
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, nodePort, _ := net.SplitHostPort(listener.Addr().String())
	way := fmt.Sprintf("exec 3<>/dev/tcp/%s/%s", out.node, nodePort)
	if r := d.CLI("exec", "stranger", "timeout", "10", "bash", "-c", way); r.Code != 0 {
		t.Errorf("the way out of the shop: %s", r)
	}
	if r := d.CLI("exec", "db", "timeout", "1", "bash", "-c", way); r.Code == 0 {
		t.Error("the database reaches out")
	}

	stop := load(t, page, 8)
	before := d.members(t, "web")
	d.Must(t, "group", "update", "web", "--env", "REVISION=2", "--wait")
	d.awaitUp(t, "web", 2)
	for _, in := range d.members(t, "web") {
		for _, old := range before {
			if in.ID == old.ID {
				t.Errorf("%s was not rolled", in.Name)
			}
		}
		// The rule is the group's: the new instances have it too.
		eventually(t, in.Name+" reaches the database", func() (bool, string) { return ping(in.Name) })
	}
	if n, failures := stop(); n == 0 || len(failures) > 0 {
		t.Errorf("%d of %d requests failed: %q", len(failures), n, failures[:min(len(failures), 5)])
	}
}

// outside is a machine beside the node, on a link of its own.
type outside struct {
	ns   *os.File
	node netip.Addr // the node's address there
}

// outsideOf makes one, in a subnet for documentation; everything is routed by
// the node.
func outsideOf(t *testing.T) outside {
	t.Helper()
	o := outside{node: netip.MustParseAddr("198.51.100.1")}
	var err error
	if o.ns, err = namespace.NewNet(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.ns.Close() })
	here, err := link.Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	there, err := link.Open(o.ns)
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	name := fmt.Sprintf("out%d", os.Getpid())
	mac := func(last byte) net.HardwareAddr { return net.HardwareAddr{2, 0, 0, 1, 0, last} }
	if err := here.Do(link.AddBridge(name, 1500, mac(1))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if c, err := link.Open(nil); err == nil {
			c.Do(link.Delete(name))
			c.Close()
		}
	})
	bridge, err := here.ByName(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := here.Do(link.Up(bridge.Index), link.AddAddress(bridge.Index, netip.PrefixFrom(o.node, 24)), link.AddVeth(link.Veth{
		Name: name + "v", Master: bridge.Index, MTU: 1500, MAC: mac(2), Peer: "eth0", PeerMAC: mac(3), PeerNS: o.ns})); err != nil {
		t.Fatal(err)
	}
	eth, err := there.ByName("eth0")
	if err != nil {
		t.Fatal(err)
	}
	if err := there.Do(link.Up(1), link.Up(eth.Index), link.AddAddress(eth.Index, netip.MustParsePrefix("198.51.100.2/24")),
		link.AddDefaultRoute(eth.Index, o.node, 0)); err != nil {
		t.Fatal(err)
	}
	return o
}
