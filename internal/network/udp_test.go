package network

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/linux/namespace"
)

// TestUDPClientFollows sends from one socket to a published port while the
// instance behind it is replaced.
func TestUDPClientFollows(t *testing.T) {
	f := newFabric(t, Config{})
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var port uint16
	for _, name := range []string{"one", "two"} {
		r := request(name)
		r.Ports = []api.Port{{HostPort: port, Port: 53, Protocol: "udp"}}
		a, err := f.Attach(context.Background(), r)
		if err != nil {
			t.Fatal(err)
		}
		port = a.Ports[0].HostPort
		echo(t, a, name)
		eventually(t, "answer of "+name, func() bool {
			if _, err := c.WriteToUDP([]byte("who"), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(port)}); err != nil {
				return false
			}
			if err := c.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 16)
			n, _, err := c.ReadFromUDP(b)
			return err == nil && string(b[:n]) == name
		})
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		if err := f.Detach(context.Background(), r.Instance); err != nil {
			t.Fatal(err)
		}
	}
}

// echo answers every datagram with a word.
func echo(t testing.TB, a *Attachment, word string) {
	t.Helper()
	var c net.PacketConn
	err := namespace.In(a.Sandbox.NetNS, func() (err error) {
		c, err = net.ListenPacket("udp4", ":53")
		return err
	})
	if err != nil {
		t.Fatal(fmt.Errorf("echo of %s: %w", word, err))
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		b := make([]byte, 16)
		for {
			_, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			c.WriteTo([]byte(word), from)
		}
	}()
}
