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
	proxyRuns        = 5
	proxySeconds     = 3
	proxyConnections = 64
	proxyPayload     = 1024 // bytes
	idleCount        = 10_000
	webImage         = "bench-web"
)

// networkProxy sends requests through virga's proxy, nginx and haproxy in
// turns, to the same instance: each has one core, and who asks and who answers
// share the other.
func networkProxy(ctx context.Context, e *env) error {
	for _, program := range []string{"nginx", "haproxy", "wrk", "taskset"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%w: install nginx-light, haproxy and wrk", err)
		}
	}
	p, err := e.pinned(ctx)
	if err != nil {
		return err
	}
	defer p.close()
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	backend, err := p.web(ctx, ports[0])
	if err != nil {
		return err
	}
	stopNginx, err := nginxProxy(p.dir, backend, ports[1])
	if err != nil {
		return err
	}
	defer stopNginx()
	stopHAProxy, err := haproxy(p.dir, backend, ports[2])
	if err != nil {
		return err
	}
	defer stopHAProxy()
	for _, port := range ports {
		if err := answers(ctx, port); err != nil {
			return err
		}
	}
	rates, p99s := make([]samples, 3), make([]samples, 3)
	for range proxyRuns {
		for i, port := range ports {
			rate, p99, err := wrk(ctx, port)
			if err != nil {
				return err
			}
			rates[i], p99s[i] = append(rates[i], rate), append(p99s[i], p99)
		}
	}
	nginx, ha := banner(ctx, "nginx", "-v"), "haproxy "+strings.Join(strings.Fields(banner(ctx, "haproxy", "-v"))[2:3], "")
	nginx = "nginx " + nginx[strings.LastIndexByte(nginx, '/')+1:]
	err = e.compare("network.l7", "requests/s", rates[0], goal{}, []measured{{nginx, rates[1], ratioAtLeast(.8)}, {ha, rates[2], ratioAtLeast(.9)}})
	if err != nil {
		return err
	}
	err = e.compare("network.l7.p99", "ms", p99s[0], goal{}, []measured{{nginx, p99s[1], ratioAtMost(1.5)}, {ha, p99s[2], ratioAtMost(1.5)}})
	if err != nil {
		return err
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

func nginxProxy(dir, backend string, port int) (func(), error) {
	config := fmt.Sprintf(`daemon off; worker_processes 1; pid %[1]s/nginx-proxy.pid; error_log /dev/null;
events { worker_connections 8192; }
http { access_log off; keepalive_requests 1000000000; client_body_temp_path %[1]s/n1; proxy_temp_path %[1]s/n2; fastcgi_temp_path %[1]s/n3;
uwsgi_temp_path %[1]s/n4; scgi_temp_path %[1]s/n5;
upstream web { server %[2]s; keepalive 256; keepalive_requests 1000000000; }
server { listen 127.0.0.1:%[3]d; location / { proxy_pass http://web; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $http_host; } } }
`, dir, backend, port)
	path := filepath.Join(dir, "nginx-proxy.conf")
	if err := os.WriteFile(path, []byte(config), 0o644); err != nil {
		return nil, err
	}
	return startPeer(servedCore, "nginx", "-c", path)
}

func haproxy(dir, backend string, port int) (func(), error) {
	config := fmt.Sprintf(`global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  http-reuse always
  option forwardfor
frontend f
  bind 127.0.0.1:%d
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %%[req.hdr(Host)]
  default_backend b
backend b
  balance leastconn
  server web %s
`, port, backend)
	path := filepath.Join(dir, "haproxy.cfg")
	if err := os.WriteFile(path, []byte(config), 0o644); err != nil {
		return nil, err
	}
	return startPeer(servedCore, "haproxy", "-f", path)
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

// wrk asks as fast as it is answered, and returns requests a second and the
// latency that 99 in 100 do not exceed, in ms.
func wrk(ctx context.Context, port int) (rate, p99 float64, err error) {
	out, err := on(ctx, askedCore, "wrk", "-t1", "-c"+strconv.Itoa(proxyConnections), fmt.Sprintf("-d%ds", proxySeconds), "--latency",
		fmt.Sprintf("http://127.0.0.1:%d/", port)).CombinedOutput()
	if err != nil {
		return 0, 0, fmt.Errorf("wrk: %w: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		switch {
		case len(f) == 2 && f[0] == "Requests/sec:":
			rate, err = strconv.ParseFloat(f[1], 64)
		case len(f) == 2 && f[0] == "99%":
			var d time.Duration
			d, err = time.ParseDuration(f[1])
			p99 = ms(d)
		case strings.Contains(line, "Non-2xx") || strings.Contains(line, "Socket errors"):
			err = fmt.Errorf("wrk: %s", strings.TrimSpace(line))
		}
		if err != nil {
			return 0, 0, err
		}
	}
	if rate == 0 || p99 == 0 {
		return 0, 0, fmt.Errorf("wrk says no rate: %s", out)
	}
	return rate, p99, nil
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
