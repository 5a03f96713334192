package test

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

// What an attachment asks for: the order of interfaces, addresses, a hardware
// address, further names, the network's MTU. All that stays over a restart, and
// nobody else gets it.
func TestPlaceOnNetworks(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.Must(t, "network", "create", "lone", "--isolated")
	d.Must(t, "network", "create", "wide", "--mtu", "1400")
	subnet := netip.MustParsePrefix(strings.TrimSpace(d.Must(t, "network", "inspect", "-f", "{{.Spec.Subnet}}", "lone")))
	static := netip.AddrFrom4([4]byte{subnet.Addr().As4()[0], subnet.Addr().As4()[1], subnet.Addr().As4()[2], 77})
	place := fmt.Sprintf("name=lone,ip=%s,mac-address=02:11:22:33:44:55,alias=shop,alias=till", static)
	serve := []string{image, "httpd", "-f", "-p", "8000", "-h", "/var/www"}
	d.Must(t, append([]string{"run", "-d", "--name", "web", "--network", "wide", "--network", place}, serve...)...)
	d.Must(t, append([]string{"run", "-d", "--name", "client", "--network", "wide", "--network", "lone"}, serve...)...)
	before := d.WaitPhase(t, "web", api.PhaseRunning).Status.Addresses
	if len(before) != 2 || before[0].Network != "wide" || before[1].Address != static || before[1].MAC != "02:11:22:33:44:55" {
		t.Fatalf("addresses: %+v", before)
	}
	links := d.Must(t, "exec", "web", "ip", "a")
	eth0, eth1, _ := strings.Cut(links, "eth1")
	contains(t, eth0, "mtu 1400", before[0].Address.String())
	contains(t, eth1, "mtu 1500", static.String(), "02:11:22:33:44:55")

	d.reaches(t, "client", "http://web:8000/")
	for _, name := range []string{"shop", "till"} {
		contains(t, d.Must(t, "exec", "client", "nslookup", name), static.String())
	}
	d.unreachable(t, "client", fmt.Sprintf("http://%s:8000/", static)) // it is isolated there
	for _, taken := range []string{"ip=" + static.String(), "mac-address=02:11:22:33:44:55"} {
		contains(t, d.Refused(t, "run", "-d", "--name", "second", "--network", "name=lone,"+taken, image, "sleep", "1000"), "taken")
		d.Must(t, "rm", "second")
	}
	d.Must(t, "restart", "-t", "0", "web")
	if after := d.WaitPhase(t, "web", api.PhaseRunning).Status.Addresses; fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("addresses %+v became %+v", before, after)
	}
}

// Ports published as ranges and at one address of the node; the instance itself
// reaches them too. A port that a service's clients have left is free at once.
func TestPublishedRangesAndAddresses(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	port := freePort(t)
	for next := freePort(t); next != port+1; next = freePort(t) {
		port = next
	}
	local := freePort(t)
	d.Must(t, "run", "-d", "--name", "web", "-p", fmt.Sprintf("%d-%d:8000-8001", port, port+1), "-p", fmt.Sprintf("127.0.0.1:%d:8001", local),
		image, "sh", "-c", "httpd -p 8000 -h /var/www; exec httpd -f -p 8001 -h /var/www")
	gateway := d.WaitPhase(t, "web", api.PhaseRunning).Status.Addresses[0].Gateway
	for _, p := range []int{port, port + 1, local} {
		eventuallyGet(t, fmt.Sprintf("http://127.0.0.1:%d/", p), "hello from busybox")
	}
	if c, err := net.DialTimeout("tcp", fmt.Sprintf("%s:%d", gateway, local), time.Second); err == nil {
		c.Close()
		t.Error("a port of 127.0.0.1 answers at the gateway's address")
	}
	d.reaches(t, "web", fmt.Sprintf("http://%s:%d/", gateway, port))
	d.Must(t, "rm", "-f", "web")

	d.serving(t, "again", "a1")
	for range 2 {
		d.Must(t, "service", "create", "again", "--select", "app=again", "--port", "80:8080/http", "--publish", fmt.Sprint(local))
		d.awaitUp(t, "again", 1)
		eventuallyGet(t, fmt.Sprintf("http://127.0.0.1:%d/", local), "Hello from virga") // which closes the connection
		d.Must(t, "service", "rm", "again")
	}
}

// A service of UDP gives each client an answer, by all its instances; with
// affinity one client stays at one.
func TestUDPService(t *testing.T) {
	d := Start(t)
	image := d.Debian(t)
	port := freePort(t)
	for _, name := range []string{"u1", "u2"} {
		d.Must(t, "run", "-d", "--name", name, "--label", "app=udp", image, "perl", "-MIO::Socket::INET", "-e",
			`$s = IO::Socket::INET->new(LocalPort => 7000, Proto => "udp") or die; $s->send("`+name+`") while defined $s->recv($m, 64)`)
	}
	d.front(t, "udp", "--select", "app=udp", "--port", "53:7000/udp", "--publish", fmt.Sprint(port))
	d.awaitUp(t, "udp", 2)
	ask := func() string {
		c, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(2 * time.Second))
		fmt.Fprint(c, "who")
		buf := make([]byte, 64)
		n, _ := c.Read(buf)
		return string(buf[:n])
	}
	seen := map[string]bool{}
	eventually(t, "both answer", func() (bool, string) {
		seen[ask()] = true
		return seen["u1"] && seen["u2"], fmt.Sprint(seen)
	})
	d.Must(t, "service", "update", "udp", "--affinity", "source")
	clear(seen)
	for range 20 {
		seen[ask()] = true
	}
	if len(seen) != 1 {
		t.Errorf("%v answered one client", seen)
	}
}
