package network

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
	"github.com/virga-cloud/virga/internal/linux/link"
	"github.com/virga-cloud/virga/internal/linux/namespace"
)

// machine is a request for a virtual machine's place.
func machine(name string, networks ...string) Request {
	r := on(name, networks...)
	r.Kind = Tap
	return r
}

// back is a network without a way out, with both families.
func back() api.Network {
	return network("back", api.NetworkSpec{Internal: true, Policy: api.RuleAllow, MTU: 1400,
		Subnet: netip.MustParsePrefix("10.44.0.0/24"), Subnet6: netip.MustParsePrefix("fd44::/64")})
}

// TestGuest is the life of a virtual machine on a network beside a container:
// it gets what was planned for it, by real clients, and is treated the same.
func TestGuest(t *testing.T) {
	f := newFabric(t, Config{Subnet: dual().Spec.Subnet, Networks: []api.Network{dual()}})
	f.ServeMetadata(func(l net.Listener, who Who) {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			instance, _ := who(c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr())
			fmt.Fprint(c, "metadata of ", instance)
			c.Close()
		}
	})
	db := attach(t, f, request("db"))
	listen(t, db.Sandbox.NetNS, ":80", "db")
	listen6(t, db, "db")
	r := machine("vm")
	r.Ports = []api.Port{{Port: 80}}
	vm := attach(t, f, r)
	plan := vm.Addresses[0]
	tap := vm.Sandbox.Taps[0]
	if tap.MTU != defaultMTU || tap.MAC.String() != plan.MAC || len(tap.Queues) != 1 {
		t.Fatalf("tap %+v", tap)
	}
	g := boot(t, tap)
	told := g.udhcpc(t)
	for name, want := range map[string]string{
		"ip": plan.Address.String(), "mask": "16", "router": plan.Gateway.String(), "dns": plan.Gateway.String(), "mtu": "1500",
		"hostname": "vm", "domain": "default.virga.internal", "search": "default.virga.internal", "lease": "86400",
		"serverid": plan.Gateway.String(), "staticroutes": "169.254.169.254/32 10.90.0.1 0.0.0.0/0 10.90.0.1",
	} {
		if told[name] != want {
			t.Errorf("DHCP says %s is %q, want %q", name, told[name], want)
		}
	}
	if got := g.addresses(t); !slices.Equal(got, []netip.Addr{plan.Address}) {
		t.Errorf("addresses %v, want %s alone", got, plan.Address)
	}
	listen(t, g.ns, ":80", "vm")
	outside := outsider(t)
	listen(t, outside, ":80", "outside")
	for _, c := range []struct {
		name, addr, want string
		from             *os.File
	}{
		{"guest to container", db.Addresses[0].Address.String() + ":80", "db " + plan.Address.String(), g.ns},
		{"container to guest", plan.Address.String() + ":80", "vm " + db.Addresses[0].Address.String(), db.Sandbox.NetNS},
		{"outside to its port", fmt.Sprintf("192.0.2.1:%d", vm.Ports[0].HostPort), "vm 192.0.2.2", outside},
		{"guest to outside", "192.0.2.2:80", "outside 192.0.2.1", g.ns},
		{"guest to metadata", "169.254.169.254:80", "metadata of idvm", g.ns},
	} {
		if got, err := fetch(c.from, c.addr, patience); err != nil || got != c.want {
			t.Errorf("%s: %q, %v, want %q", c.name, got, err, c.want)
		}
	}
	if got := g.lookup(t, plan.Gateway, "db.default.virga.internal"); !slices.Contains(got, db.Addresses[0].Address) {
		t.Errorf("db is at %v", got)
	}
	if s, err := f.Stats(t.Context(), "idvm"); err != nil || s.RxPackets == 0 || s.TxPackets == 0 || s.Spoofed != 0 {
		t.Errorf("stats %+v, %v", s, err)
	}
	t.Run("release", func(t *testing.T) {
		g.run(t, "busybox", "udhcpc", "-i", "eth0", "-f", "-n", "-q", "-R", "-t", "60", "-T", "1", "-s", g.script(t, "nothing", ":"))
		if again := g.udhcpc(t)["ip"]; again != plan.Address.String() {
			t.Errorf("address %s after a release, want %s", again, plan.Address)
		}
	})
}

// TestGuestOfBothFamilies has the guest's kernel listen to the router, and a real client
// ask for the address.
func TestGuestOfBothFamilies(t *testing.T) {
	f := newFabric(t, Config{Subnet: dual().Spec.Subnet, Networks: []api.Network{dual(), back()}})
	if !f.config.ipv6 {
		t.Skip("the kernel has no IPv6")
	}
	db := attach(t, f, on("db", api.NetworkDefault))
	vm := attach(t, f, machine("vm", api.NetworkDefault))
	plan, g := vm.Addresses[0], boot(t, vm.Sandbox.Taps[0])
	router := linkLocal(outsideMAC(plan.Gateway)).Addr().String()
	eventually(t, "a default route", func() bool {
		return strings.Contains(g.run(t, "ip", "-6", "route", "show", "default"), "via "+router+" dev eth0 proto ra")
	})
	told := g.dhclient6(t)
	for name, want := range map[string]string{
		"new_ip6_address": plan.Address6.String(), "new_dhcp6_name_servers": plan.Gateway6.String(),
		"new_dhcp6_domain_search": "default.virga.internal.", "new_max_life": "86400",
	} {
		if told[name] != want {
			t.Errorf("DHCPv6 says %s is %q, want %q", name, told[name], want)
		}
	}
	// The router's advertisement made none.
	if got := g.addresses(t); !slices.Equal(got, []netip.Addr{plan.Address6}) {
		t.Errorf("addresses %v, want %s alone", got, plan.Address6)
	}
	if routes := g.run(t, "ip", "-6", "route"); !strings.Contains(routes, "fd12:3456:789a::/64 dev eth0 proto kernel") {
		t.Errorf("the network is not on the link:\n%s", routes)
	}
	listen6(t, db, "db")
	db6 := db.Addresses[0].Address6
	if got, err := fetch(g.ns, netip.AddrPortFrom(db6, 80).String(), patience); err != nil || !strings.HasPrefix(got, "db ") {
		t.Errorf("guest to container: %q, %v", got, err)
	}
	if got := g.lookup(t, plan.Gateway6, "db.default.virga.internal"); !slices.Contains(got, db6) {
		t.Errorf("db is at %v", got)
	}
	t.Run("internal", func(t *testing.T) {
		vm := attach(t, f, machine("hidden", "back"))
		plan, g := vm.Addresses[0], boot(t, vm.Sandbox.Taps[0])
		told := g.udhcpc(t)
		if told["ip"] != plan.Address.String() || told["router"] != "" || told["mtu"] != "1400" || told["staticroutes"] != "169.254.169.254/32 10.44.0.1" {
			t.Errorf("DHCP says %v", told)
		}
		if got := g.dhclient6(t)["new_ip6_address"]; got != plan.Address6.String() {
			t.Errorf("DHCPv6 says %s, want %s", got, plan.Address6)
		}
		if routes := g.run(t, "ip", "-6", "route", "show", "default"); routes != "" {
			t.Errorf("there is a way out: %s", routes)
		}
	})
}

// TestGuestIsPluggedIn connects a running guest to a second network and takes
// it from the first.
func TestGuestIsPluggedIn(t *testing.T) {
	f := newFabric(t, Config{Networks: []api.Network{back()}})
	ctx := t.Context()
	db := attach(t, f, on("db", "back"))
	listen(t, db.Sandbox.NetNS, ":80", "db")
	r := machine("vm", api.NetworkDefault)
	vm := attach(t, f, r)
	boot(t, vm.Sandbox.Taps[0]).udhcpc(t)
	r.Networks = append(r.Networks, api.Attachment{Network: "back"})
	now, err := f.Reconnect(ctx, r)
	if err != nil || len(now.Addresses) != 2 || len(now.Sandbox.Taps) != 1 {
		t.Fatalf("connected: %+v, %v", now, err)
	}
	defer now.Close()
	second := boot(t, now.Sandbox.Taps[0])
	if told := second.udhcpc(t); told["ip"] != now.Addresses[1].Address.String() || told["router"] != "" {
		t.Errorf("DHCP says %v", told)
	}
	if got, err := fetch(second.ns, db.Addresses[0].Address.String()+":80", patience); err != nil || got != "db "+now.Addresses[1].Address.String() {
		t.Errorf("on the second network: %q, %v", got, err)
	}
	again, err := f.Reconnect(ctx, r)
	if err != nil || len(again.Addresses) != 2 || len(again.Sandbox.Taps) != 0 {
		t.Errorf("again: %+v, %v", again, err)
	}
	r.Networks = r.Networks[1:]
	if now, err := f.Reconnect(ctx, r); err != nil || len(now.Addresses) != 1 || now.Addresses[0].Network != "back" {
		t.Errorf("disconnected: %+v, %v", now, err)
	}
	if n := taps(t, f)["idvm"]; n != 1 {
		t.Errorf("%d TAPs, want 1", n)
	}
}

// TestGuestIsLimited measures a guest's rates.
func TestGuestIsLimited(t *testing.T) {
	f := newFabric(t, Config{})
	r := machine("vm")
	r.Rate = api.NetworkRate{IngressBPS: 20e6, EgressBPS: 10e6}
	vm := attach(t, f, r)
	g := boot(t, vm.Sandbox.Taps[0])
	g.udhcpc(t)
	receive, send := flows(t, f, &Attachment{Sandbox: engine.Sandbox{NetNS: g.ns}})
	for _, c := range []struct {
		way  string
		flow func(time.Duration) float64
		rate float64
	}{{"receives", receive, 20e6}, {"sends", send, 10e6}} {
		// How exact a rate is kept is TestRates' business.
		got := 0.0
		eventually(t, "a flow at its rate", func() bool {
			got = c.flow(time.Second)
			return got > c.rate/3 && got < c.rate*1.2
		})
		t.Logf("%s %.1f of %.1f Mbit/s", c.way, got/1e6, c.rate/1e6)
	}
}

// TestGuestCannotPretend sends what a guest may not say; nobody hears it.
func TestGuestCannotPretend(t *testing.T) {
	f := newFabric(t, Config{Subnet: dual().Spec.Subnet, Networks: []api.Network{dual()}})
	vm, victim := attach(t, f, machine("vm")), attach(t, f, machine("victim"))
	g, ear := boot(t, vm.Sandbox.Taps[0]), boot(t, victim.Sandbox.Taps[0])
	g.udhcpc(t)
	ear.udhcpc(t)
	a, mac := vm.Addresses[0], vm.Sandbox.Taps[0].MAC
	to := victim.Sandbox.Taps[0].MAC
	say, hear := frames(t, g.ns), frames(t, ear.ns)
	ll := linkLocal(mac).Addr()
	spoofed := func() int64 {
		s, err := f.Stats(t.Context(), "idvm")
		if err != nil {
			t.Fatal(err)
		}
		return s.Spoofed
	}
	for i, c := range []struct {
		name  string
		frame func(mark string) []byte
		want  bool
	}{
		{"itself", func(m string) []byte { return udp(mac, to, a.Address, victim.Addresses[0].Address, 9, 9, m) }, true},
		{"another address", func(m string) []byte {
			return udp(mac, to, netip.MustParseAddr("10.90.9.9"), victim.Addresses[0].Address, 9, 9, m)
		}, false},
		{"another machine", func(m string) []byte { return udp(to, to, a.Address, victim.Addresses[0].Address, 9, 9, m) }, false},
		{"a DHCP server", func(m string) []byte { return udp(mac, to, a.Address, victim.Addresses[0].Address, 67, 68, m) }, false},
		{"a DHCPv6 server", func(m string) []byte { return udp(mac, to, ll, victim.Addresses[0].Address6, 547, 546, m) }, false},
		{"a DHCP client with an address of its own choice", func(m string) []byte {
			return udp(mac, to, netip.MustParseAddr("10.90.9.9"), netip.MustParseAddr("255.255.255.255"), 68, 67, m)
		}, false},
		{"a router", func(m string) []byte { return icmp6(mac, to, ll, victim.Addresses[0].Address6, 134, m) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := spoofed()
			mark := fmt.Sprintf("mark %d of the frame", i)
			if _, err := say.Write(c.frame(mark)); err != nil {
				t.Fatal(err)
			}
			if heard := hear.until(t, mark, say, udp(mac, to, a.Address, victim.Addresses[0].Address, 9, 9, "the end "+mark)); heard != c.want {
				t.Errorf("heard: %t, want %t", heard, c.want)
			}
			if n := spoofed() - before; (n > 0) == c.want {
				t.Errorf("counted %d", n)
			}
		})
	}
}

// TestGuestsOutliveTheDaemon ends the daemon under a guest and starts another
// one.
func TestGuestsOutliveTheDaemon(t *testing.T) {
	ctx := context.Background()
	f := openFabric(t, Config{})
	r := machine("vm")
	r.Queues = 2
	r.Networks = []api.Attachment{{Network: api.NetworkDefault, MAC: "02:00:00:00:00:42"}}
	r.Ports = []api.Port{{Port: 80}}
	vm, err := f.Attach(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(vm.Sandbox.Taps[0].Queues); n != 2 {
		t.Fatalf("%d queues, want 2", n)
	}
	// The guest reads one queue alone.
	if err := vm.Sandbox.Taps[0].Queues[1].Close(); err != nil {
		t.Fatal(err)
	}
	vm.Sandbox.Taps[0].Queues = vm.Sandbox.Taps[0].Queues[:1]
	g := boot(t, vm.Sandbox.Taps[0])
	g.udhcpc(t)
	listen(t, g.ns, ":80", "vm")
	if err := vm.Close(); err != nil {
		t.Fatal(err)
	}
	// As a killed one, it takes back nothing.
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	at := fmt.Sprintf("127.0.0.1:%d", vm.Ports[0].HostPort)
	if got, err := fetch(nil, at, patience); err != nil || !strings.HasPrefix(got, "vm") {
		t.Fatalf("without a daemon: %q, %v", got, err)
	}
	f = newFabric(t, Config{})
	if err := f.Adopt(ctx, r, nil, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := fetch(nil, at, patience); err != nil || !strings.HasPrefix(got, "vm") {
		t.Fatalf("after it is adopted: %q, %v", got, err)
	}
	if told := g.udhcpc(t); told["ip"] != vm.Addresses[0].Address.String() {
		t.Errorf("its address is %s, was %s", told["ip"], vm.Addresses[0].Address)
	}
	if n := taps(t, f)["idvm"]; n != 1 {
		t.Errorf("%d TAPs are listed as the instance's", n)
	}
	if err := f.Detach(ctx, r.Instance); err != nil {
		t.Fatal(err)
	}
	if _, err := fetch(nil, at, patience); err == nil {
		t.Error("port is published after Detach")
	}
	// Its monitor goes on; somebody has it collected.
	for name, owner := range tapNames(t, f) {
		if owner != "idvm" {
			t.Errorf("tap %s is listed as %q's", name, owner)
		}
		if err := f.Collect(ctx, api.Resource{Kind: kindTap, Name: name}); err != nil {
			t.Error(err)
		}
	}
	if n := len(tapNames(t, f)); n != 0 {
		t.Errorf("%d TAPs are left", n)
	}
}

// TestTapGoesWithItsFile makes sure that nothing is left of a monitor that has
// ended, nor of an attachment that failed.
func TestTapGoesWithItsFile(t *testing.T) {
	f := newFabric(t, Config{})
	ctx := t.Context()
	vm, err := f.Attach(ctx, machine("vm"))
	if err != nil {
		t.Fatal(err)
	}
	if n := taps(t, f)["idvm"]; n != 1 {
		t.Errorf("%d TAPs, want 1", n)
	}
	r := machine("late")
	r.Networks = []api.Attachment{{Network: api.NetworkDefault, Address: vm.Addresses[0].Address.String()}}
	if _, err := f.Attach(ctx, r); api.CodeOf(err) != api.CodeConflict {
		t.Errorf("an address that is taken: %v", err)
	}
	r = machine("greedy")
	r.Ports = []api.Port{{Port: 80, HostIP: "192.0.2.77"}}
	if _, err := f.Attach(ctx, r); api.CodeOf(err) != api.CodeInvalid {
		t.Errorf("an address that is not the node's: %v", err)
	}
	for _, bad := range []func(r *Request){
		func(r *Request) { r.Networks = []api.Attachment{{Network: api.NetworkHost}} },
		func(r *Request) { r.Sysctls = map[string]string{"net.ipv4.ip_forward": "1"} },
		func(r *Request) { r.Queues = link.MaxQueues + 1 },
	} {
		r := machine("bad")
		bad(&r)
		if _, err := f.Attach(ctx, r); api.CodeOf(err) != api.CodeInvalid {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if err := f.Detach(ctx, "idvm"); err != nil {
		t.Fatal(err)
	}
	if err := vm.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no TAP", func() bool { return len(tapNames(t, f)) == 0 })
	// Nobody is asked any more.
	l, err := net.ListenPacket("udp4", "0.0.0.0:67")
	if err != nil {
		t.Fatalf("the port of DHCP is still taken: %v", err)
	}
	defer l.Close()
	if _, err := f.Attach(ctx, machine("vm")); api.CodeOf(err) != api.CodeConflict || !strings.Contains(err.Error(), "port 67") {
		t.Errorf("another DHCP server: %v", err)
	}
	eventually(t, "no TAP", func() bool { return len(tapNames(t, f)) == 0 })
}

// taps counts the TAPs that are listed, by owner.
func taps(t *testing.T, f *Fabric) map[string]int {
	t.Helper()
	out := map[string]int{}
	for _, owner := range tapNames(t, f) {
		out[owner]++
	}
	return out
}

// tapNames are the TAPs that are listed, with their owners.
func tapNames(t *testing.T, f *Fabric) map[string]string {
	t.Helper()
	all, err := f.Resources(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, r := range all {
		if r.Kind == kindTap {
			out[r.Name] = r.Owner
		}
	}
	return out
}

// wire sends and hears whole frames at eth0 of a namespace.
type wire struct{ *os.File }

func frames(t *testing.T, ns *os.File) wire {
	t.Helper()
	fd := -1
	err := namespace.In(ns, func() error {
		c, err := link.Open(nil)
		if err != nil {
			return err
		}
		defer c.Close()
		l, err := c.ByName("eth0")
		if err != nil {
			return err
		}
		all := binary.NativeEndian.Uint16([]byte{0, unix.ETH_P_ALL})
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, int(all)); err != nil {
			return err
		}
		return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: l.Index})
	})
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "frames")
	t.Cleanup(func() { f.Close() })
	return wire{f}
}

// until says whether a mark is heard before the end, an honest frame that is
// said again and again until it is.
func (w wire) until(t *testing.T, mark string, say wire, end []byte) bool {
	t.Helper()
	heard := false
	b := make([]byte, 1<<16)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if _, err := say.Write(end); err != nil {
			t.Fatal(err)
		}
		if err := w.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		for {
			n, err := w.Read(b)
			if err != nil {
				break
			}
			if strings.Contains(string(b[:n]), "the end "+mark) {
				return heard
			}
			heard = heard || strings.Contains(string(b[:n]), mark)
		}
	}
	t.Fatal("an honest frame is not heard")
	return false
}

// udp is a frame with a datagram, whose IPv6 checksum nobody looks at.
func udp(mac, to net.HardwareAddr, from, dest netip.Addr, sport, dport uint16, text string) []byte {
	body := binary.BigEndian.AppendUint16(nil, sport)
	body = binary.BigEndian.AppendUint16(body, dport)
	body = binary.BigEndian.AppendUint16(body, uint16(8+len(text)))
	return ip(mac, to, from, dest, unix.IPPROTO_UDP, append(append(body, 0, 0), text...))
}

func icmp6(mac, to net.HardwareAddr, from, dest netip.Addr, typ byte, text string) []byte {
	return ip(mac, to, from, dest, unix.IPPROTO_ICMPV6, append([]byte{typ, 0, 0, 0}, text...))
}

func ip(mac, to net.HardwareAddr, from, dest netip.Addr, protocol byte, body []byte) []byte {
	frame := slices.Concat(to, mac)
	if from.Is6() {
		frame = append(frame, 0x86, 0xdd, 0x60, 0, 0, 0, 0, byte(len(body)), protocol, 255)
		return slices.Concat(frame, from.AsSlice(), dest.AsSlice(), body)
	}
	header := []byte{0x45, 0, 0, byte(20 + len(body)), 0, 1, 0, 0, 64, protocol, 0, 0}
	header = slices.Concat(header, from.AsSlice(), dest.AsSlice())
	sum := uint32(0)
	for i := 0; i < len(header); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(header[i:]))
	}
	sum = sum&0xffff + sum>>16
	binary.BigEndian.PutUint16(header[10:], ^uint16(sum+sum>>16))
	return slices.Concat(frame, []byte{8, 0}, header, body)
}
