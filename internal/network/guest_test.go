package network

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/internal/engine"
	"github.com/virga-cloud/virga/internal/linux/link"
	"github.com/virga-cloud/virga/internal/linux/namespace"
)

// guest is a virtual machine without the machine: a kernel's network of its
// own, whose eth0 is the other end of a TAP. What a monitor does, carrying
// frames, is done by two goroutines. Nothing in it is set up but what its
// programs set up.
type guest struct {
	ns  *os.File
	dir string // for its programs
}

// boot makes a guest of the first TAP of an attachment, which keeps its own
// copy of the file as a daemon does.
func boot(t testing.TB, tap engine.Tap) *guest {
	t.Helper()
	ns, err := namespace.NewNet()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ns.Close() })
	var own []*os.File
	err = namespace.In(ns, func() error {
		if own, err = link.OpenTap("eth0", 1); err != nil {
			return err
		}
		c, err := link.Open(nil)
		if err != nil {
			return err
		}
		defer c.Close()
		l, err := c.ByName("eth0")
		if err != nil {
			return err
		}
		return c.Do(link.Up(1), link.SetMAC(l.Index, tap.MAC), link.Up(l.Index))
	})
	if err != nil {
		t.Fatal(err)
	}
	outside := duplicate(t, tap.Queues[0])
	for _, f := range []*os.File{own[0], outside} {
		offload(t, f)
	}
	done := make(chan struct{}, 2)
	carry := func(to, from *os.File) {
		defer func() { done <- struct{}{} }()
		b := make([]byte, 1<<17)
		for {
			n, err := from.Read(b)
			if err != nil {
				return
			}
			to.Write(b[:n]) // a link that is full or down drops
		}
	}
	go carry(own[0], outside)
	go carry(outside, own[0])
	t.Cleanup(func() {
		own[0].Close()
		outside.Close()
		<-done
		<-done
	})
	return &guest{ns: ns, dir: t.TempDir()}
}

// run executes a program in the guest and returns what it printed.
func (g *guest) run(t testing.TB, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience) // also after the test
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := namespace.In(g.ns, cmd.Start); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, &out)
	}
	return out.String()
}

// script writes a program of the guest.
func (g *guest) script(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(g.dir, name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\nset -e\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// udhcpc has busybox's client set the guest up, and returns what it was told.
func (g *guest) udhcpc(t testing.TB) map[string]string {
	t.Helper()
	told := filepath.Join(g.dir, "told")
	script := g.script(t, "udhcpc", `
case "$1" in bound|renew)
	busybox env > `+told+`
	busybox ip address flush dev $interface scope global
	busybox ip link set dev $interface mtu $mtu
	busybox ip -4 address add $ip/$mask dev $interface
	set -- $staticroutes
	while [ $# -gt 1 ]; do busybox ip -4 route replace $1 via $2; shift 2; done
esac
`)
	g.run(t, "busybox", "udhcpc", "-i", "eth0", "-f", "-n", "-q", "-t", "60", "-T", "1", "-s", script,
		"-O", "staticroutes", "-O", "mtu", "-O", "search", "-O", "hostname")
	return variables(t, told)
}

// dhclient6 has ISC's client ask for the IPv6 address, and returns what it was
// told.
func (g *guest) dhclient6(t testing.TB) map[string]string {
	t.Helper()
	eventually(t, "a link-local address", func() bool {
		return strings.Contains(g.run(t, "ip", "-6", "address", "show", "dev", "eth0", "scope", "link", "-tentative"), "fe80::")
	})
	told := filepath.Join(g.dir, "told6")
	script := g.script(t, "dhclient", `
case "$reason" in BOUND6)
	env > `+told+`
	ip -6 address add $new_ip6_address/$new_ip6_prefixlen dev $interface nodad
esac
`)
	conf := filepath.Join(g.dir, "conf")
	if err := os.WriteFile(conf, []byte("also request dhcp6.name-servers, dhcp6.domain-search;\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	lease, pid := filepath.Join(g.dir, "leases"), filepath.Join(g.dir, "pid")
	g.run(t, "dhclient", "-6", "-1", "-v", "-cf", conf, "-sf", script, "-lf", lease, "-pf", pid, "eth0")
	// It goes on in the background, and says only then by which process.
	var process int
	eventually(t, "the client's process is known", func() bool {
		b, _ := os.ReadFile(pid)
		process, _ = strconv.Atoi(strings.TrimSpace(string(b)))
		return process > 0
	})
	t.Cleanup(func() {
		g.run(t, "dhclient", "-6", "-x", "-cf", conf, "-sf", script, "-lf", lease, "-pf", pid, "eth0")
		eventually(t, "the client has ended", func() bool {
			line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", process))
			return err != nil || len(line) == 0 // gone, or nobody has asked for its exit status yet
		})
	})
	return variables(t, told)
}

func variables(t testing.TB, path string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			out[k] = v
		}
	}
	return out
}

// lookup resolves a name in the guest by a name server.
func (g *guest) lookup(t testing.TB, server netip.Addr, name string) []netip.Addr {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r := net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (c net.Conn, err error) {
		err = namespace.In(g.ns, func() error {
			c, err = net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(server, 53)))
			return err
		})
		return c, err
	}}
	addrs, err := r.LookupNetIP(ctx, "ip", name)
	if err != nil {
		t.Errorf("%s by %s: %v", name, server, err)
	}
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	return addrs
}

// addresses are those of eth0 but the link-local one.
func (g *guest) addresses(t testing.TB) []netip.Addr {
	t.Helper()
	c, err := link.Open(g.ns)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	l, err := c.ByName("eth0")
	if err != nil {
		t.Fatal(err)
	}
	have, err := c.Addresses(l.Index)
	if err != nil {
		t.Fatal(err)
	}
	var out []netip.Addr
	for _, p := range have {
		if !p.Addr().IsLinkLocalUnicast() {
			out = append(out, p.Addr())
		}
	}
	return out
}

// offload has a TAP leave checksums and segments of TCP to who reads it, as
// monitors do. What is read from one may be written to the other as it is.
func offload(t testing.TB, f *os.File) {
	t.Helper()
	const checksums, tcp4, tcp6 = 1, 2, 4 // TUN_F_…
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if cerr := raw.Control(func(fd uintptr) { err = unix.IoctlSetInt(int(fd), unix.TUNSETOFFLOAD, checksums|tcp4|tcp6) }); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
}

// duplicate is another file of the same queue, as a monitor would have it.
func duplicate(t testing.TB, f *os.File) *os.File {
	t.Helper()
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	fd := -1
	if cerr := raw.Control(func(of uintptr) { fd, err = unix.FcntlInt(of, unix.F_DUPFD_CLOEXEC, 0) }); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
	return os.NewFile(uintptr(fd), f.Name())
}
