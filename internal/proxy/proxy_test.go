package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var asker = direct(netip.MustParseAddr("192.0.2.1"))

// front is a proxy that listens on loopback.
type front struct {
	*Proxy
	addr string
}

func newFront(t testing.TB, secure *tls.Config) *front {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &front{New(slog.New(slog.DiscardHandler), nil), l.Addr().String()}
	served := make(chan error, 1)
	go func() { served <- f.Serve(l, secure) }()
	t.Cleanup(func() {
		l.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := f.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return f
}

func backendOf(t *testing.T, id string, h http.HandlerFunc) Backend {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return Backend{ID: id, Addr: netip.MustParseAddrPort(s.Listener.Addr().String())}
}

func named(t *testing.T, id string) Backend {
	return backendOf(t, id, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, id) })
}

func one(p Pool) Config {
	p.Name = "p"
	return Config{Routes: []Route{{Pool: "p"}}, Pools: []Pool{p}}
}

func (f *front) get(t *testing.T, path string) (int, string) {
	t.Helper()
	r, err := http.Get("http://" + f.addr + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

// raw sends text and returns all that comes back until the connection closes.
func (f *front) raw(t *testing.T, text string) string {
	t.Helper()
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRouting(t *testing.T) {
	f := newFront(t, nil)
	f.Set(Config{
		Routes: []Route{
			{Host: "a.example", Pool: "a"}, {Host: "*.example", Pool: "wild"}, {Path: "/api", Pool: "api"}, {Host: "a.example", Path: "/deep/er", Pool: "deep", StripPath: true},
		},
		Pools: []Pool{
			{Name: "a", Backends: []Backend{named(t, "a")}}, {Name: "wild", Backends: []Backend{named(t, "wild")}},
			{Name: "api", Backends: []Backend{named(t, "api")}},
			{Name: "deep", Backends: []Backend{backendOf(t, "deep", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RequestURI) })}},
		},
	})
	for _, tt := range []struct{ host, path, want string }{
		{"a.example", "/", "a"}, {"A.Example:80", "/x", "a"}, {"b.example", "/", "wild"}, {"other", "/api", "api"}, {"other", "/api/x", "api"},
		{"other", "/apix", "404 "}, {"a.example", "/deep/er/x?y=1", "/x?y=1"}, {"a.example", "/deep/er", "/"}, {"a.example", "/deep/error", "a"},
	} {
		got := f.raw(t, "GET "+tt.path+" HTTP/1.1\r\nHost: "+tt.host+"\r\nConnection: close\r\n\r\n")
		_, body, _ := strings.Cut(got, "\r\n\r\n")
		if !strings.HasPrefix(body, tt.want) {
			t.Errorf("%s%s: %q, want %q", tt.host, tt.path, body, tt.want)
		}
	}
}

func TestBodiesGoThroughWhole(t *testing.T) {
	f := newFront(t, nil)
	f.Set(one(Pool{Backends: []Backend{backendOf(t, "echo", func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		if r.URL.Path == "/counted" {
			w.Header().Set("Content-Length", fmt.Sprint(len(b)))
		}
		w.Write(b)
	})}}))
	for _, n := range []int{0, 1, 4095, 4096, 70_000, 3 << 20} {
		body := bytes.Repeat([]byte("0123456789abcdef"), n/16+1)[:n]
		for _, path := range []string{"/counted", "/chunked"} {
			for _, chunked := range []bool{false, true} {
				var r io.Reader = bytes.NewReader(body)
				if chunked {
					r = io.MultiReader(r) // hides the length
				}
				resp, err := http.Post("http://"+f.addr+path, "x/y", r)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || sha256.Sum256(got) != sha256.Sum256(body) {
					t.Errorf("%d bytes, %s, chunked %v: %d came back, %v", n, path, chunked, len(got), err)
				}
			}
		}
	}
}

func TestPipelinedRequestsAndHTTP10(t *testing.T) {
	f := newFront(t, nil)
	f.Set(one(Pool{Backends: []Backend{backendOf(t, "b", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.(http.Flusher).Flush() // makes it chunked
		io.WriteString(w, "<"+r.URL.Path+">")
	})}}))
	got := f.raw(t, "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	r := bufio.NewReader(strings.NewReader(got))
	for i := 1; i <= 3; i++ {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("answer %d of %q: %v", i, got, err)
		}
		if b, err := io.ReadAll(resp.Body); err != nil || string(b) != fmt.Sprintf("</%d>", i) {
			t.Errorf("answer %d: %q %v", i, b, err)
		}
	}
	if got := f.raw(t, "GET /old HTTP/1.0\r\n\r\n"); !strings.HasSuffix(got, "\r\n\r\n</old>") || strings.Contains(got, "chunked") {
		t.Errorf("HTTP/1.0: %q", got)
	}
	if got := f.raw(t, "HEAD /h HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); !strings.HasSuffix(got, "\r\n\r\n") {
		t.Errorf("HEAD has a body: %q", got)
	}
}

func TestRefusedRequestsReachNoBackend(t *testing.T) {
	f := newFront(t, nil)
	var reached atomic.Int64
	f.Set(one(Pool{MaxBody: 10, Backends: []Backend{backendOf(t, "b", func(w http.ResponseWriter, r *http.Request) { reached.Add(1) })}}))
	for name, tt := range map[string][2]string{
		"smuggling":  {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
		"connect":    {"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
		"huge head":  {"GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 40<<10) + "\r\n\r\n", "431"},
		"large body": {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world", "413"},
		"garbage":    {"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", "400"},
	} {
		if got := f.raw(t, tt[0]); !strings.HasPrefix(got, "HTTP/1.1 "+tt[1]+" ") {
			t.Errorf("%s: %.80q, want %s", name, got, tt[1])
		}
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("%d reached the backend", n)
	}
}

func TestNoBackend(t *testing.T) {
	f := newFront(t, nil)
	f.Set(one(Pool{}))
	got := f.raw(t, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 503 ") || !strings.Contains(got, "Retry-After: 1\r\n") || !strings.Contains(got, "no backend of p is up") {
		t.Errorf("%q", got)
	}
	down := named(t, "down")
	down.Down = true
	f.Set(one(Pool{Backends: []Backend{down}}))
	if code, _ := f.get(t, "/"); code != 503 {
		t.Errorf("a backend that is down answered with %d", code)
	}
}

func TestFailedBackendIsReplacedWithinTheRequest(t *testing.T) {
	f := newFront(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := Backend{ID: "dead", Addr: netip.MustParseAddrPort(l.Addr().String())}
	l.Close()
	broken := backendOf(t, "broken", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	f.Set(one(Pool{Backends: []Backend{dead, broken, named(t, "good")}}))
	for range 50 {
		if code, body := f.get(t, "/"); code != 200 || body != "good" {
			t.Fatalf("%d %q", code, body)
		}
	}
	if n := f.Metrics()["p"].Retries; n == 0 || n > 40 {
		t.Errorf("%d retries: want some, until both are ejected", n)
	}
	// What must not be repeated is not.
	f.Set(one(Pool{Backends: []Backend{broken}}))
	if r, err := http.Post("http://"+f.addr, "x/y", strings.NewReader("once")); err != nil || r.StatusCode != 502 {
		t.Errorf("%v %v", r, err)
	}
}

func TestLeastOutstandingAndWeights(t *testing.T) {
	f := newFront(t, nil)
	release := make(chan struct{})
	var hits sync.Map
	slow := func(id string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			n, _ := hits.LoadOrStore(id, new(atomic.Int64))
			n.(*atomic.Int64).Add(1)
			<-release
		}
	}
	a, b := backendOf(t, "a", slow("a")), backendOf(t, "b", slow("b"))
	b.Weight = 3
	f.Set(one(Pool{Backends: []Backend{a, b}}))
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			if r, err := http.Get("http://" + f.addr); err == nil {
				r.Body.Close()
			}
		})
		for {
			o := f.Outstanding("p")
			if o["a"]+o["b"] == int64(i+1) {
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
	o := f.Outstanding("p")
	close(release)
	wg.Wait()
	if o["a"] != 4 || o["b"] != 12 {
		t.Errorf("outstanding %v, want 4 and 12", o)
	}
}

func TestDrainingBackendFinishesAndGetsNothingNew(t *testing.T) {
	f := newFront(t, nil)
	started, release := make(chan struct{}), make(chan struct{})
	old := backendOf(t, "old", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(started)
			<-release
		}
		io.WriteString(w, "old")
	})
	f.Set(one(Pool{Backends: []Backend{old}}))
	answer := make(chan string)
	go func() {
		r, err := http.Get("http://" + f.addr + "/slow")
		if err != nil {
			answer <- err.Error()
			return
		}
		b, _ := io.ReadAll(r.Body)
		answer <- string(b)
	}()
	<-started
	fresh := named(t, "new")
	old.Draining = true
	f.Set(one(Pool{Backends: []Backend{old, fresh}}))
	for range 20 {
		if _, body := f.get(t, "/"); body != "new" {
			t.Fatalf("a draining backend got a request: %q", body)
		}
	}
	f.Set(one(Pool{Backends: []Backend{fresh}}))
	close(release)
	if got := <-answer; got != "old" {
		t.Errorf("the request on the backend that left: %q", got)
	}
}

func TestRequestIsHeldForTheFirstBackend(t *testing.T) {
	f := newFront(t, nil)
	f.Set(one(Pool{Hold: time.Minute}))
	answers := make(chan int)
	for range 10 {
		go func() {
			r, err := http.Get("http://" + f.addr)
			if err != nil {
				answers <- 0
				return
			}
			r.Body.Close()
			answers <- r.StatusCode
		}()
	}
	for f.Metrics()["p"].Held != 10 {
		time.Sleep(time.Millisecond)
	}
	f.Set(one(Pool{Hold: time.Minute, Backends: []Backend{named(t, "first")}}))
	for range 10 {
		if code := <-answers; code != 200 {
			t.Errorf("held request: %d", code)
		}
	}
}

// A request that finds the last backend of a group that goes to nothing is held
// as one that finds none.
func TestHoldAfterTheLastBackendIsGone(t *testing.T) {
	f := newFront(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := named(t, "dead")
	dead.Addr = netip.MustParseAddrPort(l.Addr().String())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	f.Set(one(Pool{Hold: time.Minute, Retries: 1, Backends: []Backend{dead}}))
	answer := make(chan int)
	go func() {
		r, err := http.Get("http://" + f.addr)
		if err != nil {
			answer <- 0
			return
		}
		r.Body.Close()
		answer <- r.StatusCode
	}()
	for f.Metrics()["p"].Held != 1 {
		select {
		case code := <-answer:
			t.Fatalf("answered %d instead of being held", code)
		case <-time.After(time.Millisecond):
		}
	}
	f.Set(one(Pool{Hold: time.Minute, Retries: 1, Backends: []Backend{named(t, "new")}}))
	if code := <-answer; code != 200 {
		t.Errorf("held request: %d", code)
	}
}

func TestAffinity(t *testing.T) {
	f := newFront(t, nil)
	f.Set(one(Pool{Affinity: "srv", Backends: []Backend{named(t, "a"), named(t, "b"), named(t, "c")}}))
	r, err := http.Get("http://" + f.addr)
	if err != nil {
		t.Fatal(err)
	}
	first, _ := io.ReadAll(r.Body)
	cookies := r.Cookies()
	if len(cookies) != 1 || cookies[0].Value != string(first) {
		t.Fatalf("cookies %v from %s", cookies, first)
	}
	for range 20 {
		req, _ := http.NewRequest("GET", "http://"+f.addr, nil)
		req.AddCookie(cookies[0])
		r, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(r.Body); string(b) != string(first) || len(r.Cookies()) != 0 {
			t.Fatalf("went from %s to %s", first, b)
		}
	}
}

func TestUpgrade(t *testing.T) {
	f := newFront(t, nil)
	f.Set(one(Pool{Backends: []Backend{backendOf(t, "ws", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "echo" {
			t.Errorf("upgrade %q", r.Header.Get("Upgrade"))
		}
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello ")
		io.Copy(c, rw)
	})}}))
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly ")
	io.WriteString(c, "late")
	c.(*net.TCPConn).CloseWrite()
	b, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 101 ") || !strings.HasSuffix(string(b), "\r\n\r\nhello early late") {
		t.Errorf("%q %v", b, err)
	}
}

func TestSilentBackendTimesOut(t *testing.T) {
	f := newFront(t, nil)
	stop := make(chan struct{})
	defer close(stop)
	f.Set(one(Pool{HeadTimeout: 50 * time.Millisecond, Retries: -1, Backends: []Backend{backendOf(t, "silent", func(w http.ResponseWriter, r *http.Request) { <-stop })}}))
	if code, body := f.get(t, "/"); code != 504 {
		t.Errorf("%d %q", code, body)
	}
}

func TestHTTP2AndTLS(t *testing.T) {
	cert := httptest.NewUnstartedServer(nil)
	cert.StartTLS()
	secure := cert.TLS.Clone()
	cert.Close()
	f := newFront(t, secure)
	f.Set(one(Pool{Backends: []Backend{backendOf(t, "b", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %s", r.Header.Get("X-Forwarded-Proto"), r.Header.Get("X-Forwarded-For"), r.Host)
	})}}))
	for _, h2 := range []bool{true, false} {
		tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: h2}
		r, err := (&http.Client{Transport: tr}).Get("https://" + f.addr)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(r.Body)
		tr.CloseIdleConnections()
		if want := map[bool]int{true: 2, false: 1}[h2]; r.ProtoMajor != want || string(b) != "https 127.0.0.1 "+f.addr {
			t.Errorf("HTTP/%d: %q", r.ProtoMajor, b)
		}
	}
}

func TestUnencryptedHTTP2(t *testing.T) {
	f := newFront(t, nil)
	f.Set(one(Pool{Backends: []Backend{named(t, "b")}}))
	tr := &http.Transport{Protocols: &http.Protocols{}}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	r, err := (&http.Client{Transport: tr}).Get("http://" + f.addr)
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(r.Body); r.ProtoMajor != 2 || string(b) != "b" {
		t.Errorf("HTTP/%d %q", r.ProtoMajor, b)
	}
}

// Backends come and go under load, and nobody notices.
func TestRollUnderLoadLosesNothing(t *testing.T) {
	f := newFront(t, nil)
	current := named(t, "0")
	f.Set(one(Pool{Backends: []Backend{current}}))
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var served, failed atomic.Int64
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				r, err := http.Get("http://" + f.addr)
				if err != nil {
					failed.Add(1)
					continue
				}
				io.Copy(io.Discard, r.Body)
				r.Body.Close()
				if r.StatusCode != 200 {
					failed.Add(1)
				}
				served.Add(1)
			}
		})
	}
	for i := range 10 {
		next := named(t, fmt.Sprint(i+1))
		current.Draining = true
		f.Set(one(Pool{Backends: []Backend{current, next}}))
		for served.Load() < int64(i+1)*50 {
			time.Sleep(time.Millisecond)
		}
		f.Set(one(Pool{Backends: []Backend{next}}))
		current = next
	}
	stop()
	wg.Wait()
	if failed.Load() != 0 {
		t.Errorf("%d of %d requests failed", failed.Load(), served.Load())
	}
}
