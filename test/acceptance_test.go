package test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/virga-cloud/virga/api"
)

// A real Debian root with nginx: run, fetched, its log followed, a shell in
// it, and the daemon killed and restarted meanwhile.
func TestDebianWithNginx(t *testing.T) {
	d := Start(t)
	image := d.Debian(t)
	port := freePort(t)
	d.Must(t, "run", "-d", "--name", "web", "-p", fmt.Sprintf("%d:80", port), image,
		"sh", "-c", "ln -sf /dev/stdout /var/log/nginx/access.log; exec nginx -g 'daemon off;'")
	pid := d.WaitPhase(t, "web", api.PhaseRunning).Status.PID
	url := fmt.Sprintf("http://127.0.0.1:%d/", port)
	eventuallyGet(t, url, "Welcome to nginx")

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	follow := d.Command(ctx, "logs", "-f", "web")
	out, err := follow.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := follow.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() || !strings.Contains(lines.Text(), "GET / ") {
		t.Errorf("the followed log says %q", lines.Text())
	}

	shell := d.Terminal(t, "exec", "-it", "web", "bash")
	shell.typed("cat /etc/os-release | grep ^ID=; id -u\r")
	shell.expect("ID=debian")
	shell.typed("exit\r")
	if code := shell.end(); code != 0 {
		t.Errorf("bash ended with %d", code)
	}

	d.Kill9(t)
	for lines.Scan() {
	}
	follow.Wait()
	eventuallyGet(t, url, "Welcome to nginx") // the way to it needs no daemon
	d.Restart(t)
	if in := d.WaitPhase(t, "web", api.PhaseRunning); in.Status.PID != pid {
		t.Errorf("process %d is now %d", pid, in.Status.PID)
	}
	eventuallyGet(t, url, "Welcome to nginx")
	shell = d.Terminal(t, "exec", "-it", "web", "bash")
	shell.typed("echo back-$((20+1))\r")
	shell.expect("back-21")
	shell.typed("exit\r")
	shell.end()

	requests := strings.Count(d.Must(t, "logs", "web"), "GET / ")
	if requests < 3 {
		t.Errorf("%d requests in the log, want at least 3", requests)
	}
	d.Must(t, "stop", "web")
	if in := d.WaitPhase(t, "web", api.PhaseStopped); exitCode(in) != 0 {
		t.Errorf("nginx ended with %d", exitCode(in))
	}

	// To a registry and back, with nothing left here of what is fetched.
	d.Must(t, "rm", "web")
	srv := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer srv.Close()
	remote := strings.TrimPrefix(srv.URL, "http://") + "/debian/nginx:1"
	d.Must(t, "tag", image, remote)
	d.Must(t, "push", remote)
	digest := d.image(t, remote).Digest
	d.Must(t, "image", "rm", remote, image)
	d.Refused(t, "image", "inspect", digest)
	d.Must(t, "pull", remote)
	equal(t, "digest of what is pulled", d.image(t, remote).Digest, digest)
	d.Must(t, "tag", remote, image) // for the other tests
	d.Must(t, "run", "-d", "--name", "web", "-p", fmt.Sprintf("%d:80", port), remote, "nginx", "-g", "daemon off;")
	eventuallyGet(t, url, "Welcome to nginx")
	d.Must(t, "rm", "-f", "web")
	d.Must(t, "image", "rm", remote)
}

// A service with state on a volume keeps it over a new instance.
func TestRedisOnAVolume(t *testing.T) {
	d := Start(t)
	image := d.Debian(t)
	run := func() {
		d.Must(t, "run", "-d", "--name", "db", "-v", "redis:/data", "-w", "/data", image,
			"redis-server", "--appendonly", "yes", "--appendfsync", "always", "--protected-mode", "no")
		eventually(t, "redis answers", func() (bool, string) {
			r := d.CLI("exec", "db", "redis-cli", "ping")
			return strings.TrimSpace(r.Stdout) == "PONG", r.String()
		})
	}
	run()
	d.Must(t, "exec", "db", "redis-cli", "set", "answer", "42")
	d.Must(t, "rm", "-f", "db")
	run()
	equal(t, "the value", d.Must(t, "exec", "db", "redis-cli", "get", "answer"), "42")
}
