package proxy

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"testing"
)

// answering answers each request of a connection with the same bytes, and does
// nothing else.
func answering(t testing.TB, answer []byte) Backend {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				b := make([]byte, 4<<10)
				for {
					if _, err := c.Read(b); err != nil {
						return
					}
					if _, err := c.Write(answer); err != nil {
						return
					}
				}
			}()
		}
	}()
	return Backend{ID: "answering", Addr: netip.MustParseAddrPort(l.Addr().String())}
}

// exchanges returns what sends a request over one connection and takes its answer.
func exchanges(t testing.TB) func() { return connector(t)() }

// connector returns what makes a connection, with what sends a request over it
// and takes its answer.
func connector(t testing.TB) func() func() {
	page := append([]byte("HTTP/1.1 200 OK\r\nContent-Length: 1024\r\nServer: x\r\n\r\n"), bytes.Repeat([]byte("x"), 1024)...)
	f := newFront(t, nil)
	f.Set(one(Pool{Name: "web", Backends: []Backend{answering(t, page)}}))
	request, b := []byte("GET /page HTTP/1.1\r\nHost: example.org\r\nAccept: */*\r\n\r\n"), make([]byte, len(page))
	return func() func() {
		c, err := net.Dial("tcp", f.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return func() {
			if _, err := c.Write(request); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(c, b); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func BenchmarkExchange(b *testing.B) {
	ask := exchanges(b)
	ask()
	b.ReportAllocs()
	for b.Loop() {
		ask()
	}
}
