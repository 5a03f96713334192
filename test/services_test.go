package test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/virga-cloud/virga/api"
)

// serving starts instances of virga/hello that serve HTTP at 8080, with the
// label app.
func (d *Daemon) serving(t *testing.T, app string, names ...string) {
	t.Helper()
	for _, name := range names {
		d.Must(t, "run", "-d", "--name", name, "--label", "app="+app, "virga/hello", "serve")
	}
}

// front makes a service, which the test takes away again.
func (d *Daemon) front(t *testing.T, name string, args ...string) {
	t.Helper()
	d.Must(t, append([]string{"service", "create", name}, args...)...)
	t.Cleanup(func() { d.CLI("service", "rm", name) })
}

func (d *Daemon) service(name string) (s api.Service, problem string) {
	r := d.CLI("service", "inspect", name)
	var list []api.Service
	if err := json.Unmarshal([]byte(r.Stdout), &list); err != nil || len(list) != 1 {
		return s, r.String()
	}
	return list[0], ""
}

// awaitUp waits until so many instances get requests.
func (d *Daemon) awaitUp(t *testing.T, name string, n int) (s api.Service) {
	t.Helper()
	eventually(t, fmt.Sprintf("service %s has %d instances up", name, n), func() (bool, string) {
		var problem string
		s, problem = d.service(name)
		return problem == "" && s.Status.Up == n, fmt.Sprintf("%s %+v", problem, s.Status)
	})
	return s
}

// answers counts who answers requests to a page, by host name.
func answers(t *testing.T, page string, n int) map[string]int {
	t.Helper()
	seen := map[string]int{}
	for range n {
		body, err := get(page)
		if err != nil {
			t.Fatal(err)
		}
		seen[hostOf(body)]++
	}
	return seen
}

// hostOf is the host name in an answer of virga/hello.
func hostOf(body string) string {
	_, rest, _ := strings.Cut(body, "host name: ")
	name, _, _ := strings.Cut(rest, "\n")
	return name
}

func TestServiceBalancesHTTP(t *testing.T) {
	d := Start(t)
	port := freePort(t)
	d.serving(t, "web", "w1", "w2")
	d.front(t, "web", "--select", "app=web", "--port", "80:8080", "--http", "--publish", fmt.Sprint(port), "--check", "http:/health")
	s := d.awaitUp(t, "web", 2)
	for _, page := range []string{fmt.Sprintf("http://127.0.0.1:%d/", port), fmt.Sprintf("http://%s/", s.Address), fmt.Sprintf("http://[%s]/", s.Address6), fmt.Sprintf("http://[::1]:%d/", port)} {
		if seen := answers(t, page, 20); seen["w1"] == 0 || seen["w2"] == 0 || len(seen) != 2 {
			t.Errorf("%s: %v, want both instances", page, seen)
		}
	}
	image := d.Busybox(t)
	for _, name := range []string{"web", "web.default.virga.internal", "[" + s.Address6.String() + "]"} {
		contains(t, d.Must(t, "run", "--rm", image, "wget", "-qO-", "http://"+name+"/"), "Hello from virga")
	}
	contains(t, d.Must(t, "service", "ls"), "web", s.Address.String(), "2/2")
	if s, _ = d.service("web"); s.Status.Traffic.Requests["2xx"] < 42 {
		t.Errorf("traffic: %+v", s.Status.Traffic)
	}
	contains(t, d.Refused(t, "service", "create", "other", "--select", "app=x", "--port", "80", "--publish", fmt.Sprint(port)), fmt.Sprint(port))

	// A paused instance gets nothing.
	d.Must(t, "pause", "w1")
	d.awaitUp(t, "web", 1)
	if seen := answers(t, fmt.Sprintf("http://127.0.0.1:%d/", port), 10); seen["w2"] != 10 {
		t.Errorf("%v answered while w1 was paused", seen)
	}
	d.Must(t, "unpause", "w1")
	d.awaitUp(t, "web", 2)

	d.Must(t, "stop", "w1", "w2")
	d.awaitUp(t, "web", 0)
	resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/", port))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("without instances: %s, Retry-After %q", resp.Status, resp.Header.Get("Retry-After"))
	}
	why, _ := io.ReadAll(resp.Body)
	contains(t, string(why), "no backend", "web")
}

// load asks for a page from several clients until stop is called, which
// returns the failures, or the test ends.
func load(t *testing.T, page string, clients int) (stop func() (requests int, failures []string)) {
	var mu sync.Mutex
	var failed []string
	n, ended := 0, make(chan struct{})
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			c := http.Client{Transport: &http.Transport{}, Timeout: patience()}
			for {
				select {
				case <-ended:
					c.CloseIdleConnections()
					return
				default:
				}
				resp, err := c.Get(page)
				problem := ""
				if err != nil {
					problem = err.Error()
				} else {
					if _, err = io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
						problem = fmt.Sprint(resp.Status, " ", err)
					}
					resp.Body.Close()
				}
				mu.Lock()
				n++
				if problem != "" {
					failed = append(failed, problem)
				}
				mu.Unlock()
			}
		})
	}
	stop = sync.OnceValues(func() (int, []string) {
		close(ended)
		wg.Wait()
		return n, failed
	})
	t.Cleanup(func() { stop() })
	return stop
}

func TestNoRequestIsLostWhenInstancesStop(t *testing.T) {
	d := Start(t)
	port := freePort(t)
	d.serving(t, "roll", "r1", "r2")
	d.front(t, "roll", "--select", "app=roll", "--port", "80:8080", "--http", "--publish", fmt.Sprint(port))
	d.awaitUp(t, "roll", 2)
	stop := load(t, fmt.Sprintf("http://127.0.0.1:%d/", port), 4)
	d.Must(t, "stop", "r1")
	d.serving(t, "roll", "r3")
	d.awaitUp(t, "roll", 2)
	d.Must(t, "restart", "r2")
	d.awaitUp(t, "roll", 2)
	d.Must(t, "rm", "r1")
	d.Must(t, "stop", "r3")
	n, failures := stop()
	if len(failures) > 0 {
		t.Errorf("%d of %d requests failed: %q", len(failures), n, failures[:min(len(failures), 5)])
	}
	if n == 0 {
		t.Error("no request was made")
	}
}

func TestServiceKeepsAClientAtItsInstance(t *testing.T) {
	d := Start(t)
	port := freePort(t)
	d.serving(t, "sticky", "s1", "s2")
	d.front(t, "sticky", "--select", "app=sticky", "--port", "80:8080", "--http", "--publish", fmt.Sprint(port), "--affinity", "cookie")
	d.awaitUp(t, "sticky", 2)
	page := fmt.Sprintf("http://127.0.0.1:%d/", port)
	jar, _ := cookiejar.New(nil)
	c := http.Client{Jar: jar, Timeout: patience()}
	first := ""
	for range 10 {
		resp, err := c.Get(page)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		host := hostOf(string(b))
		if first == "" {
			first = host
		}
		equal(t, "the instance", host, first)
	}
	if u, _ := url.Parse(page); len(jar.Cookies(u)) != 1 {
		t.Errorf("cookies: %v", jar.Cookies(u))
	}
	d.Must(t, "service", "update", "sticky", "--affinity", "source")
	if seen := answers(t, page, 10); len(seen) != 1 {
		t.Errorf("%v answered one address", seen)
	}
}

func TestServiceSpeaksTLS(t *testing.T) {
	d := Start(t)
	port := freePort(t)
	d.serving(t, "tls", "t1")
	d.front(t, "secure", "--select", "app=tls", "--port", "443:8080", "--tls", "--publish", fmt.Sprint(port), "--tls-name", "shop.example")
	d.awaitUp(t, "secure", 1)
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(d.Must(t, "service", "ca"))) {
		t.Fatal("virga service ca prints no certificate")
	}
	for _, name := range []string{"localhost", "shop.example", "secure.default.virga.internal"} {
		for _, h2 := range []bool{false, true} {
			tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: name}, ForceAttemptHTTP2: h2}
			resp, err := (&http.Client{Transport: tr, Timeout: patience()}).Get(fmt.Sprintf("https://127.0.0.1:%d/", port))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			resp.Body.Close()
			if resp.StatusCode != 200 || h2 != (resp.ProtoMajor == 2) {
				t.Errorf("%s: %s %s", name, resp.Proto, resp.Status)
			}
			tr.CloseIdleConnections()
		}
	}
}

func TestServiceRoutesByPath(t *testing.T) {
	d := Start(t)
	port := freePort(t)
	d.serving(t, "shop", "shop1")
	d.serving(t, "api", "api1")
	d.front(t, "api", "--select", "app=api", "--port", "80:8080", "--http")
	d.front(t, "shop", "--select", "app=shop", "--port", "80:8080", "--http", "--publish", fmt.Sprint(port), "--path", "/api=api,strip", "--path", "/old=gone")
	d.awaitUp(t, "api", 1)
	d.awaitUp(t, "shop", 1)
	base := fmt.Sprintf("http://127.0.0.1:%d", port)
	for path, want := range map[string]string{"/": "shop1", "/apix": "shop1", "/api": "api1", "/api/x": "api1"} {
		if seen := answers(t, base+path, 2); seen[want] != 2 {
			t.Errorf("%s: %v, want %s", path, seen, want)
		}
	}
	contains(t, d.Must(t, "service", "ls"), "/old leads to service gone")
	body, err := get(base + "/api/health")
	if err != nil || strings.TrimSpace(body) != "ok" {
		t.Errorf("/api/health without /api: %q, %v", body, err)
	}
}

func TestKernelBalancesWithoutTheDaemon(t *testing.T) {
	d := Start(t)
	port := freePort(t)
	d.serving(t, "l4", "k1", "k2")
	d.front(t, "l4", "--select", "app=l4", "--port", "9000:8080", "--publish", fmt.Sprint(port))
	s := d.awaitUp(t, "l4", 2)
	pages := []string{fmt.Sprintf("http://127.0.0.1:%d/", port), fmt.Sprintf("http://%s:9000/", s.Address), fmt.Sprintf("http://[%s]:9000/", s.Address6)}
	both := func(when string) {
		for _, page := range pages {
			eventually(t, page+" reaches both "+when, func() (bool, string) {
				seen := answers(t, page, 10)
				return len(seen) == 2, fmt.Sprint(seen)
			})
		}
	}
	both("with the daemon")
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	ask := func() {
		t.Helper()
		fmt.Fprint(c, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
	}
	ask()
	d.Kill9(t)
	ask()
	both("without it")
	d.Restart(t)
	ask()
	d.awaitUp(t, "l4", 2)
	both("after its restart")
}

func TestHTTPServiceIsBackWithTheDaemon(t *testing.T) {
	d := Start(t)
	port := freePort(t)
	d.serving(t, "back", "b1")
	d.front(t, "back", "--select", "app=back", "--port", "80:8080", "--http", "--publish", fmt.Sprint(port), "--access-log")
	d.awaitUp(t, "back", 1)
	page := fmt.Sprintf("http://127.0.0.1:%d/", port)
	eventuallyGet(t, page, "Hello from virga")
	in := d.Inspect(t, "b1")
	d.Kill9(t)
	d.Restart(t)
	eventuallyGet(t, page, "Hello from virga")
	eventually(t, "names are answered", func() (bool, string) {
		got, err := resolverAt(in.Status.Addresses[0].Gateway, "udp").LookupHost(t.Context(), "back.default.virga.internal.")
		return err == nil, fmt.Sprint(got, err)
	})
	log := d.data() + "/services/default.back.log"
	eventually(t, "the access log has the request", func() (bool, string) {
		b, err := os.ReadFile(log)
		return strings.Contains(string(b), `"path":"/"`) && strings.Contains(string(b), `"status":200`), fmt.Sprint(string(b), err)
	})
}

func TestServicesAreRefusedWithAReason(t *testing.T) {
	d := Start(t)
	for _, c := range []struct{ args, want string }{
		{"service create web --port 80", "selector"},
		{"service create Web --select a=b --port 80", "name"},
		{"service create web --select a=b", "port"},
		{"service create web --select a=b --port 0", "port"},
		{"service create web --select a=b --port 80 --port 80", "twice"},
		{"service create web --select a=b --port 80/sctp", "protocol"},
		{"service create web --select a=b --port 80 --path /x=y", "http"},
		{"service create web --select a=b --port 80 --http --check http:x", "path"},
		{"service create web --select a=b --port 80 --network nowhere", "nowhere"},
		{"service create web --select a=b --port 80 --address 192.0.2.1", "192.0.2.1"},
		{"service create web --select a=b --port 80 --affinity cookie", "cookie"},
		{"service rm nothing", "nothing"},
		{"service inspect nothing", "nothing"},
	} {
		contains(t, strings.ToLower(d.Refused(t, strings.Fields(c.args)...)), c.want)
	}
}
