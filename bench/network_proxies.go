package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// otherProxy is somebody else's proxy, set up to do what virga's does.
type otherProxy struct {
	name  func(ctx context.Context) string // with its version
	start func(dir, backend string, port int) (stop func(), err error)
	rate  goal // of virga's beside it
}

var otherProxies = []otherProxy{
	{nginxName, startNginx, ratioAtLeast(.8)},
	{haproxyName, startHAProxy, ratioAtLeast(.9)},
	{caddyName, startCaddy, ratioAtLeast(.9)},
}

func nginxName(ctx context.Context) string {
	said := banner(ctx, "nginx", "-v")
	return "nginx " + said[strings.LastIndexByte(said, '/')+1:]
}

func haproxyName(ctx context.Context) string {
	return "haproxy " + strings.Join(strings.Fields(banner(ctx, "haproxy", "-v"))[2:3], "")
}

func caddyName(ctx context.Context) string { return "caddy " + version(ctx, "caddy", "version") }

func startNginx(dir, backend string, port int) (func(), error) {
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

func startHAProxy(dir, backend string, port int) (func(), error) {
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

func startCaddy(dir, backend string, port int) (func(), error) {
	config := fmt.Sprintf(`{
	admin off
	auto_https off
	log {
		level ERROR
	}
}
http://:%d {
	bind 127.0.0.1
	reverse_proxy http://%s {
		transport http {
			keepalive_idle_conns_per_host 256
			compression off
		}
	}
}
`, port, backend)
	path := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(path, []byte(config), 0o644); err != nil {
		return nil, err
	}
	home := "XDG_DATA_HOME=" + dir
	return startPeer(servedCore, "env", home, "XDG_CONFIG_HOME="+dir, "caddy", "run", "--adapter", "caddyfile", "--config", path)
}
