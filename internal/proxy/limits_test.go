package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// http2Client speaks HTTP/2 without TLS.
func http2Client(t *testing.T) *http.Client {
	tr := &http.Transport{Protocols: &http.Protocols{}}
	tr.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 30 * time.Second}
}

// both runs a test with clients of HTTP/1.1 and HTTP/2.
func both(t *testing.T, f func(t *testing.T, c *http.Client)) {
	t.Run("HTTP 1.1", func(t *testing.T) {
		tr := &http.Transport{}
		defer tr.CloseIdleConnections()
		f(t, &http.Client{Transport: tr, Timeout: 30 * time.Second})
	})
	t.Run("HTTP 2", func(t *testing.T) { f(t, http2Client(t)) })
}

func TestSilentBackendIsReplacedAndEjected(t *testing.T) {
	both(t, func(t *testing.T, c *http.Client) {
		f := newFront(t, nil)
		stop := make(chan struct{})
		var asked atomic.Int64
		silent := backendOf(t, "silent", func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			select {
			case <-stop:
			case <-r.Context().Done():
			}
		})
		t.Cleanup(func() { close(stop) })
		f.Set(one(Pool{HeadTimeout: 30 * time.Millisecond, EjectAfter: 2, Backends: []Backend{silent, named(t, "good")}}))
		for range 20 {
			r, err := c.Get("http://" + f.addr)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(r.Body)
			r.Body.Close()
			if r.StatusCode != 200 || string(b) != "good" {
				t.Fatalf("%s %q", r.Status, b)
			}
		}
		if n := asked.Load(); n != 2 {
			t.Errorf("the silent backend was asked %d times, want 2 and then to be left alone", n)
		}
		// What must not be repeated is not, and says that it was the backend.
		f.Set(one(Pool{HeadTimeout: 30 * time.Millisecond, Backends: []Backend{silent}}))
		r, err := c.Post("http://"+f.addr, "x/y", strings.NewReader("once"))
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != 504 || asked.Load() != 3 {
			t.Errorf("%s after %d requests, want 504 after 3", r.Status, asked.Load())
		}
	})
}

func TestDeadBackendIsReplacedForAnyMethod(t *testing.T) {
	both(t, func(t *testing.T, c *http.Client) {
		f := newFront(t, nil)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		dead := Backend{ID: "dead", Addr: netip.MustParseAddrPort(l.Addr().String())}
		l.Close()
		echo := backendOf(t, "good", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
		f.Set(one(Pool{Backends: []Backend{dead, echo}}))
		for range 10 {
			r, err := c.Post("http://"+f.addr, "x/y", strings.NewReader("body"))
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(r.Body)
			r.Body.Close()
			if r.StatusCode != 200 || string(b) != "body" {
				t.Fatalf("%s %q", r.Status, b)
			}
		}
		if f.Metrics()["p"].Retries == 0 {
			t.Error("the dead backend was never tried")
		}
		f.Set(one(Pool{}))
		r, err := c.Get("http://" + f.addr)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(r.Body)
		r.Body.Close()
		if r.StatusCode != 503 || r.Header.Get("Retry-After") != "1" || !strings.Contains(string(b), "no backend of p is up") {
			t.Errorf("without backends: %s %v %q", r.Status, r.Header, b)
		}
	})
}

func TestBodyLimit(t *testing.T) {
	both(t, func(t *testing.T, c *http.Client) {
		f := newFront(t, nil)
		f.Set(one(Pool{MaxBody: 1000, Backends: []Backend{backendOf(t, "b", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })}}))
		for _, tt := range []struct{ size, want int }{{1000, 200}, {1001, 413}, {100_000, 413}} {
			for _, hidden := range []bool{false, true} {
				var body io.Reader = strings.NewReader(strings.Repeat("x", tt.size))
				if hidden {
					body = io.MultiReader(body) // sent without a length
				}
				r, err := c.Post("http://"+f.addr, "x/y", body)
				if err != nil {
					t.Fatalf("%d bytes: %v", tt.size, err)
				}
				r.Body.Close()
				if r.StatusCode != tt.want {
					t.Errorf("%d bytes, without length %v: %s, want %d", tt.size, hidden, r.Status, tt.want)
				}
			}
		}
		if e := f.table.Load().pools["p"].backends[0].failures.Load(); e != 0 {
			t.Errorf("large bodies count as %d failures of the backend", e)
		}
	})
}

// A client's claims of who it is do not reach the backend.
func TestForwardedFields(t *testing.T) {
	both(t, func(t *testing.T, c *http.Client) {
		f := newFront(t, nil)
		f.Set(one(Pool{Backends: []Backend{backendOf(t, "b", func(w http.ResponseWriter, r *http.Request) {
			for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Real-Ip", "Forwarded"} {
				fmt.Fprintf(w, "%s=%s ", name, strings.Join(r.Header.Values(name), "|"))
			}
		})}}))
		req, _ := http.NewRequest("GET", "http://"+f.addr, nil)
		req.Host = "shop.example"
		for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Real-Ip", "Forwarded"} {
			req.Header.Set(name, "198.51.100.7")
		}
		r, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(r.Body)
		r.Body.Close()
		want := "X-Forwarded-For=127.0.0.1 X-Forwarded-Proto=http X-Forwarded-Host=shop.example X-Forwarded-Port= X-Real-Ip= Forwarded= "
		if string(b) != want {
			t.Errorf("got  %s\nwant %s", b, want)
		}
	})
}

// Each event arrives before the next one is sent.
func TestEventsAreNotHeldBack(t *testing.T) {
	both(t, func(t *testing.T, c *http.Client) {
		f := newFront(t, nil)
		next := make(chan struct{})
		f.Set(one(Pool{Backends: []Backend{backendOf(t, "b", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for i := range 5 {
				fmt.Fprintf(w, "data: %d\n\n", i)
				w.(http.Flusher).Flush()
				<-next
			}
		})}}))
		r, err := c.Get("http://" + f.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		lines := bufio.NewScanner(r.Body)
		for i := range 5 {
			if !lines.Scan() || lines.Text() != fmt.Sprintf("data: %d", i) {
				t.Fatalf("event %d: %q %v", i, lines.Text(), lines.Err())
			}
			lines.Scan()
			next <- struct{}{}
		}
	})
}

func TestWebSocket(t *testing.T) {
	f := newFront(t, nil)
	f.Set(one(Pool{Backends: []Backend{backendOf(t, "ws", func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		for {
			kind, b, err := c.Read(r.Context())
			if err != nil {
				return
			}
			if string(b) == "bye" {
				c.Close(websocket.StatusGoingAway, "stopping")
				return
			}
			c.Write(r.Context(), kind, b)
		}
	})}}))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "ws://"+f.addr+"/chat", nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		want := strings.Repeat("m", i*300)
		if err := c.Write(ctx, websocket.MessageText, []byte(want)); err != nil {
			t.Fatal(err)
		}
		if _, b, err := c.Read(ctx); err != nil || string(b) != want {
			t.Fatalf("message %d: %d bytes, %v", i, len(b), err)
		}
	}
	if n := f.Outstanding("p")["ws"]; n != 1 {
		t.Errorf("an open connection counts as %d requests, want 1: a drain waits for it", n)
	}
	c.Write(ctx, websocket.MessageText, []byte("bye"))
	if _, _, err := c.Read(ctx); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the server's farewell: %v", err)
	}
}

func TestGRPC(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	well := health.NewServer()
	grpc_health_v1.RegisterHealthServer(server, well)
	go server.Serve(l)
	t.Cleanup(server.Stop)
	f := newFront(t, nil)
	f.Set(one(Pool{MaxBody: 1 << 20, Backends: []Backend{{ID: "g", Addr: netip.MustParseAddrPort(l.Addr().String())}}}))
	conn, err := grpc.NewClient(f.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	client := grpc_health_v1.NewHealthClient(conn)
	if r, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{}); err != nil || r.Status != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Fatalf("unary: %v %v", r, err)
	}
	// An error is all there is of an answer, and must arrive as its end however
	// the proxy's writes fall.
	for range 200 {
		if _, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: "none"}); status.Code(err) != codes.NotFound {
			t.Fatalf("trailers: %v, want NotFound", err)
		}
	}
	watch, err := client.Watch(ctx, &grpc_health_v1.HealthCheckRequest{Service: "s"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []grpc_health_v1.HealthCheckResponse_ServingStatus{grpc_health_v1.HealthCheckResponse_SERVICE_UNKNOWN,
		grpc_health_v1.HealthCheckResponse_SERVING, grpc_health_v1.HealthCheckResponse_NOT_SERVING} {
		if want != grpc_health_v1.HealthCheckResponse_SERVICE_UNKNOWN {
			well.SetServingStatus("s", want)
		}
		if r, err := watch.Recv(); err != nil || r.Status != want {
			t.Fatalf("stream: %v %v, want %v", r, err, want)
		}
	}
}

// A new backend gets a small share at first, also when all are idle.
func TestSlowStartAndWeightsOfIdleBackends(t *testing.T) {
	count := func(p *pool, now time.Time, n int) map[string]int {
		seen := map[string]int{}
		for range n {
			seen[p.pick(now, nil, "").id]++
		}
		return seen
	}
	now := time.Now()
	old, fresh := &backend{id: "old", since: now.Add(-time.Hour)}, &backend{id: "new", since: now}
	old.weight.Store(1)
	fresh.weight.Store(1)
	p := &pool{Pool: Pool{SlowStart: 100 * time.Second}, backends: []*backend{old, fresh}}
	for age, want := range map[time.Duration]int{0: 48, 10 * time.Second: 91, 50 * time.Second: 333, 100 * time.Second: 500} {
		if got := count(p, now.Add(age), 1000)["new"]; got < want-10 || got > want+10 {
			t.Errorf("after %s: %d of 1000, want about %d", age, got, want)
		}
	}
	fresh.weight.Store(3)
	if got := count(p, now.Add(time.Hour), 1000)["new"]; got < 740 || got > 760 {
		t.Errorf("weight 3 beside 1: %d of 1000, want about 750", got)
	}
}

// A client that dribbles is cut off, and one that is only slow is not.
func TestPace(t *testing.T) {
	now := time.Unix(0, 0)
	for _, tt := range []struct {
		waited time.Duration
		got    int64
		left   time.Duration
	}{
		{0, 0, 10 * time.Second}, {9 * time.Second, 0, time.Second}, {11 * time.Second, 0, -time.Second}, {11 * time.Second, 480, time.Second},
		{time.Hour, 1 << 30, time.Minute}, {0, 1 << 62, time.Minute},
	} {
		p := pace{waited: tt.waited, got: tt.got}
		if left := p.deadline(now).Sub(now); left != tt.left {
			t.Errorf("%d bytes in %s: %s left, want %s", tt.got, tt.waited, left, tt.left)
		}
		p.came(100, now.Add(5*time.Second))
		if p.got != tt.got+100 || p.waited != tt.waited+5*time.Second {
			t.Errorf("%+v after 100 bytes in 5 s", p)
		}
	}
}

// pipeListener hands out connections that live in memory, so that a test's
// clock may stand still.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error   { close(l.done); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// Slowloris: neither a head nor a body may dribble, and an idle connection
// does not stay for ever.
func TestDribblingClientsAreCutOff(t *testing.T) {
	for name, tt := range map[string]struct {
		first, drop string // what is sent at once, and then every second
		after       time.Duration
		want        string
	}{
		"head": {"GET / HTTP/1.1\r\nHost: a\r\n", "X: y\r\n", headTimeout, "HTTP/1.1 408 "},
		"idle": {"", "", idleTimeout, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &Proxy{clients: map[*client]struct{}{}, metrics: map[string]*Metrics{}}
				p.table.Store(newTable(nil, nil))
				l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
				go p.Serve(l, nil)
				defer l.Close()
				client, server := net.Pipe()
				l.conns <- server
				start := time.Now()
				var sender sync.WaitGroup
				defer sender.Wait()
				defer client.Close()
				sender.Go(func() {
					if tt.first != "" {
						io.WriteString(client, tt.first)
					}
					for tt.drop != "" {
						time.Sleep(time.Second)
						if _, err := io.WriteString(client, tt.drop); err != nil {
							return
						}
					}
				})
				got, _ := io.ReadAll(client)
				if took := time.Since(start); took < tt.after || took > tt.after+tt.after/lateness+time.Second {
					t.Errorf("cut off after %s, want %s", took, tt.after)
				}
				if !strings.HasPrefix(string(got), tt.want) {
					t.Errorf("%q", got)
				}
			})
		})
	}
}

func TestDribblingBodyIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up, backend := net.Pipe()
		go io.Copy(io.Discard, backend)
		client, server := net.Pipe()
		var sender sync.WaitGroup
		sender.Go(func() {
			for {
				time.Sleep(time.Second)
				if _, err := io.WriteString(client, "x"); err != nil {
					return
				}
			}
		})
		start := time.Now()
		in := newStream(server)
		in.pace = &pace{}
		if err := copyCounted(up, in, 1<<20); err != errSlow {
			t.Errorf("%v, want %v", err, errSlow)
		}
		if took := time.Since(start); took < paceGrace || took > paceGrace+2*time.Second {
			t.Errorf("cut off after %s", took)
		}
		for _, c := range []net.Conn{up, backend, client, server} {
			c.Close()
		}
		sender.Wait()
	})
}
