package network

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/linux/link"
	"github.com/virga-cloud/virga/internal/linux/namespace"
)

// others are tables as Docker, libvirt and firewalld make them, but for Docker's
// chain for others, of which TestInstancesGetByDockersFirewall speaks.
const others = `
table ip nat {
	chain DOCKER { return; }
	chain PREROUTING { type nat hook prerouting priority dstnat; policy accept; fib daddr type local jump DOCKER; }
	chain POSTROUTING { type nat hook postrouting priority srcnat; policy accept; ip saddr 172.17.0.0/16 oifname != "docker0" masquerade; }
}
table ip filter {
	chain FORWARD { type filter hook forward priority filter; policy drop; iifname "docker0" accept; }
}
table ip libvirt_network {
	chain forward { type filter hook forward priority filter; policy accept; oifname "virbr0" ip daddr 192.168.122.0/24 accept; }
}
table inet firewalld {
	set zones { type ifname; elements = { "eth0", "wlan0" } }
	chain filter_INPUT { type filter hook input priority filter + 10; policy accept; iifname @zones accept; }
}
table bridge filter {
	chain FORWARD { type filter hook forward priority filter; policy accept; }
}
`

func nftProgram(t *testing.T, input string, args ...string) string {
	t.Helper()
	cmd := exec.Command("nft", args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("nft %v: %v: %s", args, err, out)
	}
	return string(out)
}

// TestOthersTablesStay goes through everything that changes rules, and compares
// what is not virga's, byte by byte.
func TestOthersTablesStay(t *testing.T) {
	needRoot(t)
	nftProgram(t, others, "-f", "-")
	names := []string{"ip nat", "ip filter", "ip libvirt_network", "inet firewalld", "bridge filter"}
	list := func() string {
		var all strings.Builder
		for _, n := range names {
			all.WriteString(nftProgram(t, "", append([]string{"list", "table"}, strings.Fields(n)...)...))
		}
		return all.String()
	}
	t.Cleanup(func() {
		for _, n := range names {
			nftProgram(t, "", append([]string{"delete", "table"}, strings.Fields(n)...)...)
		}
	})
	before := list()
	var log bytes.Buffer
	func() {
		ctx := context.Background()
		f, err := New(ctx, Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := f.Set(ctx, []api.Network{network("back", api.NetworkSpec{Internal: true, Policy: api.RuleDeny, Subnet6: netip.MustParsePrefix("fd12:9::/64")})}); err != nil {
			t.Fatal(err)
		}
		if err := f.SetRules(ctx, []api.Rule{rule("r1", api.RuleAllow, "a", "b", 80, "tcp")}); err != nil {
			t.Fatal(err)
		}
		r := request("a")
		r.Ports = []api.Port{{Port: 80}}
		r.Rate = api.NetworkRate{IngressBPS: 1e6, EgressBPS: 1e6}
		a, err := f.Attach(ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		// Another program flushes virga's tables, and just those.
		for _, n := range []string{"inet virga", "bridge virga", "inet virga-rules", "bridge virga-guard"} {
			nftProgram(t, "", append([]string{"delete", "table"}, strings.Fields(n)...)...)
		}
		flushed := time.Now()
		for _, n := range []string{"inet virga", "bridge virga", "inet virga-rules", "bridge virga-guard"} {
			for exec.Command("nft", append([]string{"list", "table"}, strings.Fields(n)...)...).Run() != nil {
				if time.Since(flushed) > patience {
					t.Fatalf("table %s is not put back", n)
				}
				time.Sleep(50 * time.Millisecond)
			}
		}
		if took := time.Since(flushed); took > repairEvery+5*time.Second {
			t.Errorf("put back after %s", took)
		}
		if err := f.Detach(ctx, r.Instance); err != nil {
			t.Fatal(err)
		}
		a.Close()
		if now := list(); now != before {
			t.Errorf("tables of others were\n%s\nand are\n%s", before, now)
		}
		if err := f.Clear(); err != nil {
			t.Fatal(err)
		}
	}()
	if now := list(); now != before {
		t.Errorf("after Clear the tables of others were\n%s\nand are\n%s", before, now)
	}
	if left := nftProgram(t, "", "list", "tables"); strings.Contains(left, "virga") {
		t.Errorf("left: %s", left)
	}
	if !strings.Contains(log.String(), "ip filter FORWARD") || strings.Contains(log.String(), "libvirt") {
		t.Errorf("the user is told: %s", log.String())
	}
}

// TestInstancesGetByDockersFirewall has the rules that Docker makes, by the
// program it makes them with: virga adds to the chain for others, and nowhere else.
func TestInstancesGetByDockersFirewall(t *testing.T) {
	needRoot(t)
	tables := func(args string) string {
		t.Helper()
		out, err := exec.Command("iptables-nft", strings.Fields(args)...).Output()
		if errors.Is(err, exec.ErrNotFound) {
			t.Skipf("Docker's rules are not supported without its program: %v", err)
		}
		if err != nil {
			t.Fatalf("iptables %s: %v", args, err)
		}
		return string(out)
	}
	for _, args := range []string{"-P FORWARD DROP", "-N DOCKER-USER", "-A DOCKER-USER -s 203.0.113.0/24 -j DROP", "-A DOCKER-USER -j RETURN",
		"-A FORWARD -j DOCKER-USER", "-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", "-A FORWARD -i docker0 -j ACCEPT"} {
		tables(args)
	}
	t.Cleanup(func() { nftProgram(t, "", "delete", "table", "ip", "filter") })
	before := tables("-S")
	f := newFabric(t, Config{})
	outside := outsider(t)
	listen(t, outside, ":80", "outside")
	r := request("web")
	r.Ports = []api.Port{{Port: 80}}
	web := attach(t, f, r)
	listen(t, web.Sandbox.NetNS, ":80", "web")
	if got, err := fetch(web.Sandbox.NetNS, "192.0.2.2:80", patience); err != nil || !strings.HasPrefix(got, "outside ") {
		t.Errorf("the way out: %q, %v", got, err)
	}
	if got, err := fetch(outside, fmt.Sprint("192.0.2.1:", web.Ports[0].HostPort), patience); err != nil || !strings.HasPrefix(got, "web ") {
		t.Errorf("a published port: %q, %v", got, err)
	}
	// Docker's networks are Docker's: the way from virga's is as closed as it was.
	if err := f.conn.Do(link.AddBridge("docker0", 1500, net.HardwareAddr{2, 0, 0, 0, 9, 1})); err != nil {
		t.Fatal(err)
	}
	docker, err := f.conn.ByName("docker0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.conn.Do(link.Delete("docker0")) })
	container := beside(t, f, "docker0", docker.Index, "172.17.0.1/16", "172.17.0.2/16")
	listen(t, container, ":80", "container")
	if got, err := fetch(nil, "172.17.0.2:80", patience); err != nil {
		t.Fatalf("the container does not answer the node: %q, %v", got, err)
	}
	if got, err := fetch(web.Sandbox.NetNS, "172.17.0.2:80", 300*time.Millisecond); err == nil {
		t.Errorf("virga opened the way to a container: %q", got)
	}
	all, err := f.Resources(t.Context())
	if err != nil || !slices.Contains(all, api.Resource{Kind: kindRule, Name: "ip filter DOCKER-USER", Owner: ownerNode}) {
		t.Errorf("the rules are not listed: %v, %v", all, err)
	}
	// An administrator empties the chain: the rules come back.
	tables("-F DOCKER-USER")
	eventually(t, "the rules are put back", func() bool { return strings.Contains(tables("-S DOCKER-USER"), "-i virga+ ") })
	tables("-F DOCKER-USER")
	if err := f.pass.Delete(); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"-F DOCKER-USER", "-A DOCKER-USER -s 203.0.113.0/24 -j DROP", "-A DOCKER-USER -j RETURN"} {
		tables(args)
	}
	eventually(t, "the rules come before the last one", func() bool {
		return strings.HasSuffix(tables("-S DOCKER-USER"), "-o virga+ -m comment --comment \"virga: virga\" -j ACCEPT\n-A DOCKER-USER -j RETURN\n")
	})
	f.stop()
	f.work.Wait()
	if err := f.pass.Delete(); err != nil {
		t.Fatal(err)
	}
	if now := tables("-S"); now != before {
		t.Errorf("the rules were\n%s\nand are\n%s", before, now)
	}
}

// beside is a machine on a bridge of the node's.
func beside(t *testing.T, f *Fabric, name string, bridge int, node, address string) *os.File {
	t.Helper()
	ns, err := namespace.NewNet()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ns.Close() })
	there, err := link.Open(ns)
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	n := netip.MustParsePrefix(node)
	if err := f.conn.Do(link.AddAddress(bridge, n), link.AddVeth(link.Veth{Name: name + "-v", Master: bridge, MTU: 1500,
		MAC: net.HardwareAddr{2, 0, 0, 0, 9, 2}, Peer: "eth0", PeerMAC: net.HardwareAddr{2, 0, 0, 0, 9, 3}, PeerNS: ns})); err != nil {
		t.Fatal(err)
	}
	l, err := there.ByName("eth0")
	if err != nil {
		t.Fatal(err)
	}
	if err := there.Do(link.Up(1), link.Up(l.Index), link.AddAddress(l.Index, netip.MustParsePrefix(address)),
		link.AddDefaultRoute(l.Index, n.Addr(), 0)); err != nil {
		t.Fatal(err)
	}
	return ns
}

// lines are the lines of a log.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

// A firewall that drops what is forwarded is told of, once, also when it comes
// after the daemon.
func TestFirewallThatComesLater(t *testing.T) {
	needRoot(t)
	log := make(lines, 100)
	f, err := New(context.Background(), Config{Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(f.Clear(), f.Close()); err != nil {
			t.Error(err)
		}
	})
	nftProgram(t, "table ip late {\nchain FORWARD { type filter hook forward priority filter; policy drop; }\n}\n", "-f", "-")
	t.Cleanup(func() { nftProgram(t, "", "delete", "table", "ip", "late") })
	for deadline := time.After(patience); ; {
		select {
		case line := <-log:
			if !strings.Contains(line, "ip late FORWARD") {
				continue
			}
			if !strings.Contains(line, "iptables -I FORWARD -i virga+ -j ACCEPT") {
				t.Errorf("what to do is not said: %s", line)
			}
		case <-deadline:
			t.Fatal("nobody is told of the firewall")
		}
		break
	}
	f.warnOfDroppers()
	select {
	case line := <-log:
		t.Errorf("told again: %s", line)
	default:
	}
}
