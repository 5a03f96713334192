package network

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

// others are tables as Docker, libvirt and firewalld make them.
const others = `
table ip nat {
	chain DOCKER { return; }
	chain PREROUTING { type nat hook prerouting priority dstnat; policy accept; fib daddr type local jump DOCKER; }
	chain POSTROUTING { type nat hook postrouting priority srcnat; policy accept; ip saddr 172.17.0.0/16 oifname != "docker0" masquerade; }
}
table ip filter {
	chain DOCKER-USER { return; }
	chain FORWARD { type filter hook forward priority filter; policy drop; jump DOCKER-USER; iifname "docker0" accept; }
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
