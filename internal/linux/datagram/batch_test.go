package datagram

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"
)

// Every datagram is answered to who sent it, however many come at a time.
func TestAnswersGoToTheirSenders(t *testing.T) {
	for _, network := range []string{"udp4", "udp6"} {
		t.Run(network, func(t *testing.T) {
			ip := net.IPv4(127, 0, 0, 1)
			if network == "udp6" {
				ip = net.IPv6loopback
			}
			c, err := net.ListenUDP(network, &net.UDPAddr{IP: ip})
			if err != nil {
				t.Fatal(err)
			}
			b, err := New(c, 8, 100, 200)
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error)
			go func() {
				for {
					n, err := b.Receive()
					if err != nil {
						ended <- err
						return
					}
					for i := range n {
						b.Reply(i, copy(b.Room(), fmt.Appendf(nil, "%s from %s", b.Datagram(i), b.From(i))))
					}
					if err := b.Send(); err != nil {
						ended <- err
						return
					}
				}
			}()
			var clients []*net.UDPConn
			for range 20 {
				d, err := net.DialUDP(network, nil, c.LocalAddr().(*net.UDPAddr))
				if err != nil {
					t.Fatal(err)
				}
				defer d.Close()
				clients = append(clients, d)
			}
			for i, d := range clients {
				fmt.Fprintf(d, "hello %d", i)
			}
			clients[0].Write(bytes.Repeat([]byte("x"), 300)) // more than fits
			buf := make([]byte, 400)
			for i, d := range clients {
				d.SetReadDeadline(time.Now().Add(30 * time.Second))
				n, err := d.Read(buf)
				if want := fmt.Sprintf("hello %d from %s", i, d.LocalAddr()); err != nil || string(buf[:n]) != want {
					t.Errorf("%q %v, want %q", buf[:n], err, want)
				}
			}
			if n, err := clients[0].Read(buf); err != nil || !bytes.HasPrefix(buf[:n], bytes.Repeat([]byte("x"), 100)) || bytes.HasPrefix(buf[:n], bytes.Repeat([]byte("x"), 101)) {
				t.Errorf("a datagram that is too large: %d bytes, %v", n, err)
			}
			c.Close()
			if err := <-ended; !errors.Is(err, net.ErrClosed) {
				t.Errorf("after its end: %v", err)
			}
		})
	}
}
