package test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

// A shop from one Compose file, as its owner lives with it: it grows and
// shrinks with its load, is rolled and rolled back, loses instances at random
// and spot instances to work that pays more, and no request fails meanwhile.
func TestACloudForAShop(t *testing.T) {
	d := Start(t)
	debian, busybox, port := d.Debian(t), d.Busybox(t), freePort(t)
	shop := func(greeting string) string {
		return fmt.Sprintf(`
services:
  web:
    image: %[1]s
    command: sh -c 'echo %[3]s > /var/www/html/index.html; exec nginx -g "daemon off;"'
    ports: [{target: 80, published: "%[4]d", app_protocol: http}]
    depends_on: {app: {condition: service_started}}
    deploy: {update_config: {parallelism: 1, order: start-first}}
    stop_grace_period: 2s
    x-virga:
      autoscale: {min: 2, max: 4, requests: 40, warmUp: 1s, outCooldown: 1s, inCooldown: 1s, stabilization: 3s}
  app:
    image: %[2]s
    command: httpd -f -p 80 -h /var/www
    stop_grace_period: 0s
    depends_on: {redis: {condition: service_healthy}}
  redis:
    image: %[1]s
    command: [redis-server, --protected-mode, "no", --save, ""]
    healthcheck: {test: [CMD, redis-cli, ping], interval: 200ms, timeout: 30s, retries: 100}
  worker:
    image: %[2]s
    command: sleep 100000
    stop_grace_period: 0s
    scale: 2
    mem_limit: 32m
    x-virga: {spot: true}
`, debian, busybox, greeting, port)
	}
	p := d.compose(t, "cloud", shop("one"))
	p.up("--wait")
	page := fmt.Sprintf("http://127.0.0.1:%d/", port)
	eventuallyGet(t, page, "one")

	stop := load(t, page, 4)
	eventually(t, "the web grows with its load", func() (bool, string) {
		g := d.group(t, "cloud-web")
		return g.Spec.Desired > 2 && g.Status.Ready > 2, d.Must(t, "group", "history", "cloud-web")
	})
	p.write(shop("two"))
	p.up("--wait")
	eventuallyGet(t, page, "two")
	d.Must(t, "group", "rollout", "undo", "cloud-web", "--wait")
	eventuallyGet(t, page, "one")
	if n, failures := stop(); len(failures) > 0 || n == 0 {
		t.Errorf("%d of %d requests failed while it grew and rolled: %q", len(failures), n, failures[:min(len(failures), 5)])
	}
	eventually(t, "the web shrinks without load", func() (bool, string) {
		g := d.group(t, "cloud-web")
		return g.Spec.Desired == 2 && g.Status.Ready == 2, d.Must(t, "group", "history", "cloud-web")
	})

	// What is killed answers nothing that it was asked; everybody else is
	// answered.
	stop = load(t, page, 2)
	const kills = 6
	killed := map[string]bool{}
	for range kills {
		members := d.members(t, "cloud-web")
		victim := members[rand.IntN(len(members))]
		if pid := victim.Status.PID; pid > 0 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		killed[victim.ID] = true
		// Nobody can answer when all are killed at once.
		eventually(t, "two others serve", func() (bool, string) {
			s, problem := d.service("cloud-web")
			serving := 0
			for _, b := range s.Status.Backends {
				if !killed[b.Instance] && b.State == api.BackendUp {
					serving++
				}
			}
			return serving >= 2, fmt.Sprintf("%s %+v", problem, s.Status)
		})
	}
	if n, failures := stop(); len(failures) > 2*kills || n == 0 {
		t.Errorf("%d of %d requests failed over %d kills with 2 clients: %q", len(failures), n, kills, failures[:min(len(failures), 5)])
	}

	// Work that pays more takes the room of a spot instance. Who buys notices
	// nothing.
	stop = load(t, page, 2)
	rest := d.capacity(t).Free.Memory>>20 + 16
	if r := d.CLI("run", "-d", "--name", "work", "-m", fmt.Sprintf("%dm", rest), busybox, "sleep", "100000"); r.Code != 0 {
		t.Fatal(r)
	}
	told := false
	for line := range strings.Lines(d.Must(t, "events", "--since", "10m", "--until", "0s")) {
		told = told || strings.Contains(line, "notice") && strings.Contains(line, "cloud-worker")
	}
	if !told {
		t.Error("no event says that a worker was given notice")
	}
	d.Must(t, "rm", "-f", "work")
	eventually(t, "the workers are two again", func() (bool, string) {
		n := 0
		for _, in := range d.members(t, "cloud-worker") {
			if in.Status.Phase == api.PhaseRunning && !in.Noticed() {
				n++
			}
		}
		return n == 2, d.Must(t, "group", "history", "cloud-worker")
	})

	if n, failures := stop(); len(failures) > 0 || n == 0 {
		t.Errorf("%d of %d requests failed while spot instances were reclaimed: %q", len(failures), n, failures[:min(len(failures), 5)])
	}

	began := time.Now()
	p.Must(t, p.args("down")...)
	p.noneLeft()
	if left := d.Must(t, "service", "ls", "-q"); strings.Contains(left, "cloud") {
		t.Errorf("services left: %s", left)
	}
	d.CheckClean(t)
	t.Logf("down took %v", time.Since(began).Round(time.Millisecond))
}
