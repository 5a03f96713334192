package test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// loads runs clients until stop is called, which returns how often each did
// what it does, and what went wrong.
type loads struct {
	t      *testing.T
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	mu     sync.Mutex
	count  map[string]int
	failed []string
}

func newLoads(t *testing.T) *loads {
	l := &loads{t: t, count: map[string]int{}}
	l.ctx, l.cancel = context.WithCancel(t.Context())
	t.Cleanup(func() { l.cancel(); l.wg.Wait() })
	return l
}

// add runs a client again and again.
func (l *loads) add(what string, once func(ctx context.Context) error) {
	l.wg.Go(func() {
		for l.ctx.Err() == nil {
			err := once(l.ctx)
			if l.ctx.Err() != nil {
				return
			}
			l.mu.Lock()
			l.count[what]++
			if err != nil {
				l.failed = append(l.failed, what+": "+err.Error())
			}
			l.mu.Unlock()
		}
	})
}

// get asks for a page with a client.
func (l *loads) get(what, page string, c *http.Client) {
	l.t.Cleanup(c.CloseIdleConnections)
	l.add(what, func(ctx context.Context) error {
		r, _ := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
		resp, err := c.Do(r)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s", resp.Status)
		}
		return nil
	})
}

// chat sends messages over a WebSocket, and takes another one when the server
// says farewell.
func (l *loads) chat(at string) {
	l.add("WebSocket", func(ctx context.Context) error {
		c, _, err := websocket.Dial(ctx, "ws://"+at+"/echo", nil)
		if err != nil {
			return err
		}
		defer c.CloseNow()
		for i := 0; ; i++ {
			want := fmt.Sprint("message ", i)
			if err = c.Write(ctx, websocket.MessageText, []byte(want)); err == nil {
				var got []byte
				if _, got, err = c.Read(ctx); err == nil && string(got) != want {
					return fmt.Errorf("got %q, want %q", got, want)
				}
			} else if _, _, rerr := c.Read(ctx); rerr != nil {
				err = rerr // why it was closed
			}
			switch {
			case websocket.CloseStatus(err) == websocket.StatusGoingAway:
				return nil
			case err != nil:
				return fmt.Errorf("after %d messages: %w", i, err)
			}
			select {
			case <-time.After(10 * time.Millisecond):
			case <-ctx.Done():
				return nil
			}
		}
	})
}

func (l *loads) stop() {
	l.t.Helper()
	l.cancel()
	l.wg.Wait()
	if len(l.failed) > 0 {
		l.t.Errorf("%d failures in %v: %q", len(l.failed), l.count, l.failed[:min(len(l.failed), 8)])
	}
	l.t.Logf("served: %v", l.count)
}

// await waits until every kind of load has been served so often.
func (l *loads) await(what string, n int) {
	l.t.Helper()
	eventually(l.t, fmt.Sprintf("%d of %s", n, what), func() (bool, string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.count[what] >= n, fmt.Sprint(l.count, l.failed)
	})
}

func h2c() *http.Client {
	tr := &http.Transport{Protocols: &http.Protocols{}}
	tr.Protocols.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: tr, Timeout: patience()}
}

// A group is rolled and scaled under load: over HTTP/1.1 with connections that
// are kept, HTTP/2, WebSocket, and TCP with a connection for each request.
func TestNoRequestFailsWhileAGroupRollsAndScales(t *testing.T) {
	d := Start(t)
	port, l4 := freePort(t), freePort(t)
	d.noGroup(t, "web")
	d.Must(t, "group", "create", "web", "--replicas", "2", "--image", "virga/hello", "--wait", "--", "serve")
	d.front(t, "web", "--group", "web", "--port", "80:8080", "--http", "--publish", fmt.Sprint(port), "--drain", "2s")
	d.front(t, "raw", "--group", "web", "--port", "9000:8080", "--publish", fmt.Sprint(l4), "--drain", "2s")
	d.awaitUp(t, "web", 2)
	d.awaitUp(t, "raw", 2)
	at := fmt.Sprintf("127.0.0.1:%d", port)
	l := newLoads(t)
	l.get("HTTP/1.1", "http://"+at+"/", &http.Client{Transport: &http.Transport{}, Timeout: patience()})
	l.get("HTTP/2", "http://"+at+"/", h2c())
	l.get("TCP", fmt.Sprintf("http://127.0.0.1:%d/", l4), &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience()})
	l.chat(at)
	for _, what := range []string{"HTTP/1.1", "HTTP/2", "TCP"} {
		l.await(what, 20)
	}
	d.Must(t, "group", "update", "web", "--env", "REVISION=2", "--wait")
	d.Must(t, "group", "scale", "web", "1", "--wait")
	d.Must(t, "group", "scale", "web", "3", "--wait")
	d.awaitUp(t, "web", 3)
	l.await("WebSocket", 1) // it was told to go, and went
	l.stop()
}

// A stop waits until the connections that the kernel leads to an instance have
// ended.
func TestAStopWaitsForConnections(t *testing.T) {
	d := Start(t)
	port := freePort(t)
	d.serving(t, "l4", "k1")
	d.front(t, "l4", "--select", "app=l4", "--port", "9000:8080", "--publish", fmt.Sprint(port), "--drain", "1m")
	d.awaitUp(t, "l4", 1)
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	ask := func() {
		t.Helper()
		c.SetDeadline(time.Now().Add(patience()))
		fmt.Fprint(c, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("the connection ended while the instance was draining: %v", err)
		}
		io.Copy(io.Discard, resp.Body)
	}
	ask()
	stopped := make(chan Result, 1)
	go func() { stopped <- d.CLI("stop", "k1") }()
	eventually(t, "the instance is draining", func() (bool, string) {
		s, problem := d.service("l4")
		return problem == "" && len(s.Status.Backends) == 1 && s.Status.Backends[0].State == "draining", fmt.Sprintf("%s %+v", problem, s.Status)
	})
	for range 20 { // long after the drain would have ended without it
		ask()
		time.Sleep(50 * time.Millisecond)
	}
	if c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second); err == nil {
		c.Close()
		t.Error("a draining instance got a new connection")
	}
	select {
	case r := <-stopped:
		t.Fatalf("stopped with an open connection: %s", r)
	default:
	}
	c.Close()
	closed := time.Now()
	if r := <-stopped; r.Code != 0 {
		t.Fatal(r)
	}
	if took := time.Since(closed); took > 30*time.Second {
		t.Errorf("the stop ended %s after the connection", took)
	}
}
