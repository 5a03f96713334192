package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
)

const (
	proxyRuns        = 8
	proxySeconds     = 2
	proxyConnections = 64
	proxyPayload     = 1024 // bytes
	idleCount        = 10_000
	webImage         = "bench-web"
)

// networkProxy sends requests through virga's proxy and those of others in
// turns, to the same instance: each has one core, and who asks and who answers
// share the other.
func networkProxy(ctx context.Context, e *env) error {
	for _, program := range []string{"nginx", "haproxy", "caddy", "wrk", "taskset"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%w: install nginx-light, haproxy, caddy and wrk", err)
		}
	}
	p, err := e.pinned(ctx)
	if err != nil {
		return err
	}
	defer p.close()
	ports, err := freePorts(1 + len(otherProxies))
	if err != nil {
		return err
	}
	backend, err := p.web(ctx, ports[0])
	if err != nil {
		return err
	}
	for i, o := range otherProxies {
		stop, err := o.start(p.dir, backend, ports[1+i])
		if err != nil {
			return err
		}
		defer stop()
	}
	for _, port := range ports {
		if err := answers(ctx, port); err != nil {
			return err
		}
	}
	rates, p99s, costs := make([]samples, len(ports)), make([]samples, len(ports)), make([]samples, len(ports))
	for turn := range proxyRuns {
		for i := range ports {
			i = (i + turn) % len(ports) // each is the first in its turn
			before, err := busy(servedCore)
			if err != nil {
				return err
			}
			l, err := wrk(ctx, ports[i])
			if err != nil {
				return err
			}
			after, err := busy(servedCore)
			if err != nil {
				return err
			}
			cost := float64((after - before).Microseconds()) / l.requests
			rates[i], p99s[i], costs[i] = append(rates[i], l.rate), append(p99s[i], l.p99), append(costs[i], cost)
		}
	}
	var rate, p99, cost []measured
	for i, o := range otherProxies {
		name := o.name(ctx)
		rate = append(rate, measured{name, rates[1+i], o.rate})
		p99 = append(p99, measured{name, p99s[1+i], ratioAtMost(1.5)})
		cost = append(cost, measured{name, costs[1+i], goal{}})
	}
	for _, f := range []struct {
		name, unit string
		own        samples
		others     []measured
	}{
		{"network.l7", "requests/s", rates[0], rate}, {"network.l7.p99", "ms", p99s[0], p99},
		{"network.l7.cost", "us of the core a request", costs[0], cost},
	} {
		if err := e.compareTurns(f.name, f.unit, f.own, goal{}, f.others); err != nil {
			return err
		}
	}
	if err := p.idleConnections(ctx, ports[0]); err != nil {
		return err
	}
	return p.back(ctx, ports[0])
}

// web makes an instance that answers a page of proxyPayload bytes on the core
// of who asks, with a service in front of it that answers at a port of the
// node. It returns where the instance itself listens.
func (e *env) web(ctx context.Context, port int) (string, error) {
	if err := e.importWeb(ctx); err != nil {
		return "", err
	}
	made, err := e.client.Create(ctx, api.CreateRequest{Labels: map[string]string{"app": "web"}, Spec: api.InstanceSpec{
		Image: webImage, Command: []string{"/usr/sbin/nginx", "-c", "/nginx.conf"},
	}}, true)
	if err != nil {
		return "", err
	}
	in, err := e.client.Instance(ctx, made.ID)
	if err != nil {
		return "", err
	}
	if out, err := exec.CommandContext(ctx, "taskset", "-acp", askedCore, strconv.Itoa(in.Status.PID)).CombinedOutput(); err != nil {
		return "", fmt.Errorf("pin the instance: %w: %s", err, out)
	}
	_, err = e.client.CreateService(ctx, api.ServiceRequest{Name: "web", Spec: api.ServiceSpec{
		Selector: api.ServiceSelector{Labels: map[string]string{"app": "web"}},
		Ports:    []api.ServicePort{{Port: 80, Target: 8080, Protocol: api.ProtocolHTTP, Publish: uint16(port)}},
	}})
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(in.Status.Addresses[0].Address.String(), "8080"), nil
}

// importWeb gives the daemon an image with nginx, as one process.
func (e *env) importWeb(ctx context.Context) error {
	root := filepath.Join(e.dir, "web")
	if err := e.rootWith(ctx, root, "nginx"); err != nil {
		return err
	}
	config := `user root; daemon off; master_process off; pid /tmp/nginx.pid; error_log /dev/null;
events { worker_connections 4096; }
http { access_log off; keepalive_requests 1000000000; client_body_temp_path /tmp; proxy_temp_path /tmp/p; fastcgi_temp_path /tmp/f;
uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;
server { listen 8080; location / { default_type text/plain; return 200 "` + strings.Repeat("x", proxyPayload) + `"; } } }
`
	err := errors.Join(os.MkdirAll(filepath.Join(root, "tmp"), 0o1777), os.MkdirAll(filepath.Join(root, "var/lib/nginx"), 0o755),
		os.MkdirAll(filepath.Join(root, "var/log/nginx"), 0o755), os.WriteFile(filepath.Join(root, "nginx.conf"), []byte(config), 0o644))
	if err != nil {
		return err
	}
	return e.importDir(ctx, webImage, root)
}

// answers waits until a port answers the page.
func answers(ctx context.Context, port int) error {
	for deadline := time.Now().Add(30 * time.Second); ; {
		r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/", port))
		if err == nil {
			b, readErr := io.ReadAll(r.Body)
			r.Body.Close()
			if r.StatusCode == 200 && len(b) == proxyPayload && readErr == nil {
				return nil
			}
			err = fmt.Errorf("%s, %d bytes, %v", r.Status, len(b), readErr)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("port %d does not answer: %w", port, err)
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

// load is what came of asking as fast as one is answered.
type load struct {
	requests float64
	rate     float64 // requests a second
	p99      float64 // ms that 99 in 100 requests do not exceed
}

// wrk asks as fast as it is answered, over proxyConnections connections.
func wrk(ctx context.Context, port int) (l load, err error) {
	out, err := on(ctx, askedCore, "wrk", "-t1", "-c"+strconv.Itoa(proxyConnections), fmt.Sprintf("-d%ds", proxySeconds), "--latency",
		fmt.Sprintf("http://127.0.0.1:%d/", port)).CombinedOutput()
	if err != nil {
		return l, fmt.Errorf("wrk: %w: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		switch {
		case len(f) == 2 && f[0] == "Requests/sec:":
			l.rate, err = strconv.ParseFloat(f[1], 64)
		case len(f) == 2 && f[0] == "99%":
			var d time.Duration
			d, err = time.ParseDuration(f[1])
			l.p99 = ms(d)
		case len(f) > 2 && f[1] == "requests" && f[2] == "in":
			l.requests, err = strconv.ParseFloat(f[0], 64)
		case strings.Contains(line, "Non-2xx") || strings.Contains(line, "Socket errors"):
			err = fmt.Errorf("wrk: %s", strings.TrimSpace(line))
		}
		if err != nil {
			return l, err
		}
	}
	if l.requests == 0 || l.rate == 0 || l.p99 == 0 {
		return l, fmt.Errorf("wrk says no rate: %s", out)
	}
	return l, nil
}

// idleConnections opens connections that have been answered once and then say nothing,
// and records what the daemon's memory has grown by.
func (e *env) idleConnections(ctx context.Context, port int) error {
	before, err := resident(e.daemon.Process.Pid)
	if err != nil {
		return err
	}
	conns := make([]net.Conn, 0, idleCount)
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	answer := make([]byte, 8<<10)
	for range idleCount {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return err
		}
		conns = append(conns, c)
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: idle\r\n\r\n"); err != nil {
			return err
		}
		for got := 0; got < proxyPayload; {
			n, err := c.Read(answer)
			if err != nil {
				return err
			}
			got += n
		}
	}
	after, err := resident(e.daemon.Process.Pid)
	if err != nil {
		return err
	}
	return e.record(figure{Name: "network.l7.idle", Value: float64(after-before) / (1 << 20), Unit: "MiB RSS more",
		N: 1, About: strconv.Itoa(idleCount) + " idle connections"}, atMost(250))
}

// resident is the resident memory of a process, in bytes.
func resident(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(b))
	if len(f) < 2 {
		return 0, fmt.Errorf("statm of %d: %q", pid, b)
	}
	pages, err := strconv.ParseInt(f[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}
