package test

import (
	"testing"

	"github.com/virga-cloud/virga/api"
)

// spoofed is how many packets of an instance were dropped because they
// pretended to be somebody else's.
func (d *Daemon) spoofed(t *testing.T, id string) int64 {
	t.Helper()
	c := api.Dial(d.Socket)
	defer c.Close()
	for s, err := range c.Stats(t.Context(), id, false) {
		if err != nil {
			t.Fatal(err)
		}
		return s.Network.Spoofed
	}
	t.Fatal("no statistics")
	return 0
}

// An instance with raw sockets, which every one has by default, says that its
// neighbour's address is its own; with NET_ADMIN it takes another's address, and
// another's hardware address: nothing of it arrives.
func TestNobodySendsAsSomebodyElse(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	run := func(name string, args ...string) api.Instance {
		d.Must(t, append([]string{"run", "-d", "--name", name, "--cap-add", "NET_ADMIN", "--sysctl", "net.ipv4.ip_nonlocal_bind=1", image}, args...)...)
		return d.WaitPhase(t, name, api.PhaseRunning)
	}
	serve := []string{"httpd", "-f", "-p", "8000", "-h", "/var/www"}
	mallory, alice, bob := run("mallory", "sleep", "1000"), run("alice", serve...), run("bob", "sleep", "1000")
	d.reaches(t, "bob", "http://alice:8000/")
	aliceIP := alice.Status.Addresses[0].Address.String()
	bobIP := bob.Status.Addresses[0].Address.String()

	// Asked honestly, alice answers; asked in the name of bob, nobody does.
	d.Must(t, "exec", "mallory", "arping", "-c", "1", "-w", "5", "-I", "eth0", aliceIP)
	d.Must(t, "exec", "mallory", "ping", "-c", "1", "-W", "5", aliceIP)
	if n := d.spoofed(t, mallory.ID); n != 0 {
		t.Fatalf("%d honest packets are called spoofed", n)
	}
	for _, attack := range [][]string{
		{"arping", "-c", "3", "-w", "3", "-U", "-I", "eth0", "-s", aliceIP, bobIP},
		{"sh", "-c", "ip addr add " + bobIP + "/32 dev eth0; ip route add " + aliceIP + " dev eth0 src " + bobIP + "; ping -c 3 -W 1 " + aliceIP},
		{"sh", "-c", "ip link set eth0 address " + alice.Status.Addresses[0].MAC + "; ip neigh flush dev eth0; ping -c 3 -W 1 " + aliceIP},
	} {
		before := d.spoofed(t, mallory.ID)
		r := d.CLI(append([]string{"exec", "mallory"}, attack...)...)
		if n := d.spoofed(t, mallory.ID) - before; n < 2 {
			t.Errorf("%v: %d packets were counted: %s", attack, n, r)
		}
	}
	d.reaches(t, "bob", "http://alice:8000/")
	d.Must(t, "exec", "bob", "ping", "-c", "1", "-W", "5", aliceIP)
	neighbours := d.Must(t, "exec", "bob", "cat", "/proc/net/arp")
	contains(t, neighbours, alice.Status.Addresses[0].MAC)
	if n := d.spoofed(t, bob.ID) + d.spoofed(t, alice.ID); n != 0 {
		t.Errorf("%d packets of honest instances were dropped", n)
	}
	// It holds for what a daemon adopts.
	d.Kill9(t)
	d.Restart(t)
	before := d.spoofed(t, mallory.ID)
	d.CLI("exec", "mallory", "arping", "-c", "3", "-w", "3", "-U", "-I", "eth0", "-s", aliceIP, bobIP)
	if n := d.spoofed(t, mallory.ID) - before; n < 2 {
		t.Errorf("after a restart of the daemon %d packets were counted", n)
	}
	d.reaches(t, "bob", "http://alice:8000/")
}
