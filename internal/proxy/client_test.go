package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// connect opens a connection that fails the test rather than hang it.
func (f *front) connect(t *testing.T) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute))
	return c.(*net.TCPConn)
}

const pageRequest = "GET /page HTTP/1.1\r\nHost: a\r\n\r\n"

func TestClientThatSendsItsEndWithTheRequestGetsBoth(t *testing.T) {
	f := newFront(t, nil)
	f.Set(one(Pool{Name: "web", Backends: []Backend{named(t, "a")}}))
	for range 20 {
		c := f.connect(t)
		io.WriteString(c, pageRequest)
		c.CloseWrite()
		got, err := io.ReadAll(c)
		if err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 200 ") {
			t.Fatalf("%q, %v", got, err)
		}
	}
}

func TestRequestsArriveInAnyPieces(t *testing.T) {
	f := newFront(t, nil)
	f.Set(one(Pool{Name: "web", Backends: []Backend{named(t, "a")}}))
	for size := 1; size < 2*len(pageRequest); size += 7 {
		c := f.connect(t)
		go func() {
			for left := strings.Repeat(pageRequest, 5); len(left) > 0; {
				n := min(size, len(left))
				if _, err := io.WriteString(c, left[:n]); err != nil {
					return
				}
				left = left[n:]
			}
			c.CloseWrite()
		}()
		got, err := io.ReadAll(c)
		if n := strings.Count(string(got), "HTTP/1.1 200 "); err != nil || n != 5 {
			t.Fatalf("pieces of %d: %d answers of 5, %v", size, n, err)
		}
	}
}

func TestShutdownEndsWhatGoesOnForEver(t *testing.T) {
	f := newFront(t, nil)
	f.Set(one(Pool{Name: "web", Backends: []Backend{backendOf(t, "a", func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			fmt.Fprintln(w, "data: tick")
			if http.NewResponseController(w).Flush() != nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
	})}}))
	busy, silent := f.connect(t), f.connect(t)
	io.WriteString(busy, pageRequest)
	if _, err := busy.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("shutdown: %v", err)
	}
	for name, c := range map[string]net.Conn{"busy": busy, "silent": silent} {
		if _, err := io.Copy(io.Discard, c); err != nil && errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
