package test

import (
	"net/netip"
	"os/exec"
	"strings"
	"testing"
)

// The default network keeps away from what the machine reaches otherwise, and
// stays where it is from then on.
func TestDefaultSubnetIsFree(t *testing.T) {
	d := startOn(t, t.TempDir())
	subnet := func() netip.Prefix {
		p, err := netip.ParsePrefix(strings.TrimSpace(d.Must(t, "network", "inspect", "-f", "{{.Spec.Subnet}}", "default")))
		must(t, err)
		return p
	}
	first := subnet()
	d.Stop(t)
	d.Must(t, "server", "reset", "--data-dir", d.data())

	ip := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
		}
	}
	const other = "test-other0"
	ip("link", "add", other, "type", "bridge")
	t.Cleanup(func() { ip("link", "del", other) })
	ip("addr", "add", netip.PrefixFrom(first.Addr().Next(), first.Bits()+2).String(), "dev", other)
	ip("link", "set", other, "up")

	d.Restart(t)
	second := subnet()
	if second.Overlaps(first) || second.Bits() != first.Bits() {
		t.Errorf("subnet %s, though the machine has a route into %s", second, first)
	}
	ip("addr", "add", netip.PrefixFrom(second.Addr().Next(), second.Bits()).String(), "dev", other)
	d.Stop(t)
	d.Restart(t)
	equal(t, "subnet after a restart", subnet().String(), second.String())
	contains(t, d.logSince(0), "a route into the default network")
}
