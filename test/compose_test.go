package test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

// project is a Compose project in a directory of its own.
type project struct {
	*Daemon
	t    *testing.T
	file string
	name string
}

// compose writes a Compose file, and sees to it that nothing is left of its
// project when the test ends, before the daemon is looked at.
func (d *Daemon) compose(t *testing.T, name, yaml string) *project {
	t.Helper()
	t.Setenv("XDG_STATE_HOME", filepath.Join(d.Dir, "state"))
	t.Setenv("XDG_CACHE_HOME", filepath.Join(d.Dir, "cache"))
	p := &project{Daemon: d, t: t, file: filepath.Join(t.TempDir(), "compose.yaml"), name: name}
	p.write(yaml)
	t.Cleanup(func() {
		if !d.alive() {
			d.Restart(t)
		}
		d.CLI("down", "-v", "-p", name)
	})
	return p
}

func (p *project) write(yaml string) {
	p.t.Helper()
	if err := os.WriteFile(p.file, []byte(yaml), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *project) args(args ...string) []string {
	return append([]string{"compose", "--file", p.file, "--project-name", p.name}, args...)
}

func (p *project) up(args ...string) {
	p.t.Helper()
	p.Must(p.t, p.args(append([]string{"up", "-d"}, args...)...)...)
}

// instances are the project's, by name.
func (p *project) instances() map[string]api.Instance {
	p.t.Helper()
	var list []api.Instance
	if err := json.Unmarshal([]byte(p.Must(p.t, p.args("ps", "--json")...)), &list); err != nil {
		p.t.Fatal(err)
	}
	found := map[string]api.Instance{}
	for _, in := range list {
		found[in.Name] = in
	}
	return found
}

func (p *project) in(instance string, command ...string) string {
	p.t.Helper()
	return p.Must(p.t, append([]string{"exec", instance}, command...)...)
}

// noneLeft checks that a down has left nothing of the project.
func (p *project) noneLeft() {
	p.t.Helper()
	equal(p.t, "instances", p.Must(p.t, "ps", "-aq"), "")
	equal(p.t, "groups", p.Must(p.t, "group", "ls", "-q"), "")
	for _, n := range strings.Fields(p.Must(p.t, "network", "ls", "-q")) {
		if strings.HasPrefix(n, p.name+"-") {
			p.t.Errorf("network %s is left", n)
		}
	}
	if _, err := os.Stat(filepath.Join(p.Dir, "state", "virga", "compose", p.name)); err == nil {
		p.t.Error("files of configs and secrets are left")
	}
}

// Web, database, cache, queue and worker come up in order and know each other
// by name; a second up changes nothing, a changed service is replaced alone.
func TestComposeShop(t *testing.T) {
	d := Start(t)
	debian, busybox := d.Debian(t), d.Busybox(t)
	shop := func(greeting string) string {
		return fmt.Sprintf(`
services:
  web:
    image: %[1]s
    command: [nginx, -g, "daemon off;"]
    ports: ["80"]
    depends_on: [app]
  app:
    image: %[2]s
    command: sh -c 'mkdir /w; echo "$$GREETING" > /w/index.html; exec httpd -f -p 80 -h /w'
    environment: {GREETING: %[3]s}
    stop_grace_period: 0s
    depends_on:
      cache: {condition: service_healthy}
      queue: {condition: service_healthy}
  cache: &redis
    image: %[1]s
    command: [redis-server, --protected-mode, "no", --save, ""]
    healthcheck: {test: [CMD, redis-cli, ping], interval: 200ms, timeout: 30s, retries: 100}
  queue: *redis
  worker:
    image: %[1]s
    command: sh -c 'while :; do redis-cli -h queue blpop jobs 0 | tail -n1 | redis-cli -h cache -x set done; done'
    stop_grace_period: 0s
    depends_on: {queue: {condition: service_healthy}}
`, debian, busybox, greeting)
	}
	p := d.compose(t, "shop", shop("hello"))
	p.up("--wait")
	before := p.instances()
	if len(before) != 5 {
		t.Fatalf("%d instances, want 5", len(before))
	}
	app, cache := before["shop-app-1"], before["shop-cache-1"]
	if app.Status.Started.Before(cache.Status.Started) {
		t.Error("app started before the cache it depends on")
	}
	contains(t, p.in("shop-web-1", "curl", "-s", "http://app"), "hello")
	contains(t, p.in("shop-app-1", "nslookup", "web"), before["shop-web-1"].Status.Addresses[0].Address.String())
	p.in("shop-web-1", "redis-cli", "-h", "queue", "rpush", "jobs", "ship it")
	eventually(t, "the worker's result in the cache", func() (bool, string) {
		got := p.in("shop-cache-1", "redis-cli", "get", "done")
		return strings.Contains(got, "ship it"), got
	})
	contains(t, p.Must(t, p.args("ps")...), "shop-cache-1", "running (healthy)")
	contains(t, p.Must(t, p.args("logs", "cache")...), "shop-cache-1 |")

	p.up("--wait")
	for name, in := range p.instances() {
		if in.ID != before[name].ID || in.Status.PID != before[name].Status.PID {
			t.Errorf("%s was replaced or restarted by an up that changes nothing", name)
		}
	}
	p.write(shop("goodbye"))
	p.up("--wait")
	for name, in := range p.instances() {
		if replaced := in.ID != before[name].ID; replaced != (name == "shop-app-1") {
			t.Errorf("%s: replaced is %v after a change of app alone", name, replaced)
		}
	}
	eventually(t, "the new greeting", func() (bool, string) {
		got := d.CLI("exec", "shop-web-1", "curl", "-s", "http://app").Stdout
		return strings.Contains(got, "goodbye"), got
	})
	p.Must(t, p.args("down")...)
	p.noneLeft()
}

// What has to complete completes first; what fails holds its dependents up.
func TestComposeOrder(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	file := func(status int) string {
		return fmt.Sprintf(`
services:
  migrate: {image: %[1]s, command: ["sh", "-c", "exit %[2]d"]}
  db:
    image: %[1]s
    command: sh -c 'sleep 0.5; touch /tmp/well; sleep 1000'
    stop_grace_period: 0s
    healthcheck: {test: test -e /tmp/well, interval: 100ms, timeout: 30s, retries: 1000}
  app:
    image: %[1]s
    command: sleep 1000
    stop_grace_period: 0s
    depends_on:
      migrate: {condition: service_completed_successfully}
      db: {condition: service_healthy}
      maybe: {condition: service_started, required: false}
  maybe: {image: %[1]s, command: "true", profiles: [never]}
`, image, status)
	}
	p := d.compose(t, "order", file(3))
	r := d.CLI(p.args("up", "-d")...)
	if r.Code == 0 {
		t.Fatalf("up went well though migrate failed: %v", r)
	}
	contains(t, r.Stderr, "service app:", "order-migrate-1 ended with exit code 3")
	if _, ok := p.instances()["order-app-1"]; ok {
		t.Error("app was made though migrate failed")
	}
	p.write(file(0))
	p.up()
	now := p.instances()
	app, db, migrate := now["order-app-1"], now["order-db-1"], now["order-migrate-1"]
	if app.Status.Started.Before(migrate.Status.Finished) {
		t.Error("app started before migrate had completed")
	}
	if db.Status.Health == nil || db.Status.Health.State != api.HealthHealthy {
		t.Error("app came up though db is not healthy")
	}
	p.up()
	if again := p.instances()["order-migrate-1"]; again.Status.Starts != migrate.Status.Starts {
		t.Error("what had completed was run again")
	}
	p.Must(t, p.args("down")...)
	p.noneLeft()
}

// A service of several instances is a group: it is reached by one name, scales
// and rolls.
func TestComposeGroup(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	port := freePort(t)
	file := func(n int, v string) string {
		return fmt.Sprintf(`
services:
  web:
    image: %[1]s
    command: httpd -f -p 80 -h /var/www
    stop_grace_period: 0s
    environment: {V: "%[3]s"}
    ports: ["%[4]d:80"]
    deploy: {replicas: %[2]d, update_config: {parallelism: 1, order: start-first}}
  probe: {image: %[1]s, command: sleep 1000, stop_grace_period: 0s}
`, image, n, v, port)
	}
	p := d.compose(t, "many", file(2, "1"))
	p.up("--wait")
	addresses := func() (list []string) {
		for _, in := range p.members(t, "many-web") {
			list = append(list, in.Status.Addresses[0].Address.String())
		}
		return list
	}
	if n := len(addresses()); n != 2 {
		t.Fatalf("%d instances of web, want 2", n)
	}
	contains(t, p.in("many-probe-1", "nslookup", "web"), addresses()...)
	eventuallyGet(t, fmt.Sprintf("http://127.0.0.1:%d", port), "hello from busybox")
	before := pids(p.members(t, "many-web"))
	p.up("--wait")
	for pid := range pids(p.members(t, "many-web")) {
		if !before[pid] {
			t.Error("an up that changes nothing replaced an instance")
		}
	}
	p.write(file(3, "1"))
	p.up("--wait")
	if n := len(addresses()); n != 3 {
		t.Errorf("%d instances after scaling to 3", n)
	}
	p.write(file(3, "2"))
	p.up("--wait")
	for _, in := range p.members(t, "many-web") {
		if !slices.Contains(in.Spec.Env, "V=2") {
			t.Errorf("%s still has the old configuration", in.Name)
		}
	}
	p.write(strings.Replace(file(1, "3"), ", update_config: {parallelism: 1, order: start-first}", "", 1))
	p.up("--wait")
	if _, ok := p.instances()["many-web-1"]; !ok || len(p.instances()) != 2 {
		t.Errorf("the group did not become one instance: %v", p.Must(t, p.args("ps")...))
	}
	eventuallyGet(t, fmt.Sprintf("http://127.0.0.1:%d", port), "hello from busybox")
	equal(t, "services", p.Must(t, "service", "ls", "-q"), "")
	p.Must(t, p.args("down")...)
	p.noneLeft()
}

// Configs and secrets are files inside; volumes outlast a down without -v.
func TestComposeFiles(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	t.Setenv("VIRGA_TEST_TOKEN", "s3cret")
	p := d.compose(t, "files", fmt.Sprintf(`
services:
  app:
    image: %s
    command: sh -c 'echo once >> /data/log; sleep 1000'
    stop_grace_period: 0s
    user: "1000:1000"
    volumes: ["data:/data", "./here:/here:ro"]
    tmpfs: ["/scratch:size=1m"]
    configs: [{source: site, target: /etc/site.conf}]
    secrets: [token, {source: key, target: /run/key.pem}]
    networks: {fixed: {ipv4_address: 10.199.3.7}}
volumes: {data: {}}
networks: {fixed: {ipam: {config: [{subnet: 10.199.3.0/24}]}}}
configs: {site: {content: "listen 80;\n"}}
secrets:
  token: {environment: VIRGA_TEST_TOKEN}
  key: {file: ./key.pem}
`, image))
	dir := filepath.Dir(p.file)
	write(t, filepath.Join(dir, "key.pem"), "a key")
	if err := os.Mkdir(filepath.Join(dir, "here"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "here", "note"), "from outside")
	if r := d.CLI("volume", "create", "files-data"); r.Code == 0 {
		d.Must(t, "volume", "rm", "files-data")
	}
	p.write(strings.Replace(readFile(t, p.file), `user: "1000:1000"`, `user: "0:0"`, 1))
	p.up("--wait")
	equal(t, "config", p.in("files-app-1", "cat", "/etc/site.conf"), "listen 80;")
	equal(t, "secret", p.in("files-app-1", "cat", "/run/secrets/token"), "s3cret")
	equal(t, "secret of a file", p.in("files-app-1", "cat", "/run/key.pem"), "a key")
	equal(t, "bind", p.in("files-app-1", "cat", "/here/note"), "from outside")
	contains(t, p.in("files-app-1", "ip", "addr"), "10.199.3.7/24")
	contains(t, p.in("files-app-1", "mount"), "/scratch")
	p.Must(t, p.args("down")...)
	p.noneLeft()
	p.up("--wait")
	eventually(t, "a second line in the volume", func() (bool, string) {
		got := p.in("files-app-1", "cat", "/data/log")
		return got == "once\nonce", got
	})
	p.Must(t, p.args("down", "-v")...)
	if strings.Contains(d.Must(t, "volume", "ls", "-q"), "files-data") {
		t.Error("down -v left the volume")
	}
}

// The services of a project reach each other on an internal network, too.
func TestComposeInternal(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	p := d.compose(t, "inner", fmt.Sprintf(`
services:
  web: {image: %[1]s, command: httpd -f -p 80 -h /var/www, stop_grace_period: 0s}
  probe: {image: virga/hello, command: sleep 1000s, stop_grace_period: 0s}
networks: {default: {internal: true}}
`, image))
	p.up("--wait")
	eventually(t, "an answer on the internal network", func() (bool, string) {
		r := d.CLI("exec", "inner-probe-1", "/bin/virga-hello", "get", "http://web")
		return strings.Contains(r.Stdout, "hello from busybox"), r.String()
	})
	p.Must(t, p.args("down")...)
	p.noneLeft()
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A killed up is taken up by the next; what the file no longer has is told of,
// and removed when asked.
func TestComposeResumes(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	var file strings.Builder
	file.WriteString("services:\n")
	for i := range 6 {
		fmt.Fprintf(&file, "  s%d: {image: %s, command: sleep 1000, stop_grace_period: 0s", i, image)
		if i > 0 {
			fmt.Fprintf(&file, ", depends_on: [s%d]", i-1)
		}
		file.WriteString("}\n")
	}
	p := d.compose(t, "again", file.String())
	for _, after := range []time.Duration{30, 60, 90, 120} {
		ctx, cancel := context.WithTimeout(t.Context(), after*time.Millisecond)
		d.Command(ctx, p.args("up", "-d")...).Run() // killed, or done: both are fine
		cancel()
	}
	p.up("--wait")
	if n := len(p.instances()); n != 6 {
		t.Fatalf("%d instances, want 6", n)
	}
	p.write(fmt.Sprintf("services:\n  s0: {image: %s, command: sleep 1000, stop_grace_period: 0s}\n", image))
	contains(t, d.CLI(p.args("up", "-d")...).Stderr, "s1, s2, s3, s4, s5", "--remove-orphans")
	if n := len(p.instances()); n != 6 {
		t.Errorf("orphans went without being asked: %d instances, want 6", n)
	}
	p.up("--remove-orphans")
	if n := len(p.instances()); n != 1 {
		t.Errorf("%d instances after the orphans, want 1", n)
	}
	d.Must(t, "down", "-p", "again")
	p.noneLeft()
}

// Without -d the output follows, and an interrupt stops everything.
func TestComposeAttached(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	p := d.compose(t, "seen", fmt.Sprintf(`
services:
  loud: {image: %[1]s, command: "sh -c 'echo here I am; trap exit TERM; while :; do sleep 0.1; done'"}
  other: {image: %[1]s, command: "sh -c 'echo me too; exec sleep 1000'", stop_grace_period: 0s}
`, image))
	cmd := d.Command(t.Context(), p.args("up")...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	left := []string{"seen-loud-1  | here I am", "seen-other-1 | me too"}
	for lines := bufio.NewScanner(out); len(left) > 0 && lines.Scan(); {
		left = slices.DeleteFunc(left, func(s string) bool { return s == lines.Text() })
	}
	if len(left) > 0 {
		t.Errorf("output without %q", left)
	}
	cmd.Process.Signal(syscall.SIGINT)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit status %d after an interrupt, want 130", code)
	}
	for name, in := range p.instances() {
		if !in.Status.Phase.Ended() {
			t.Errorf("%s is %s after the interrupt", name, in.Status.Phase)
		}
	}
	p.up("--wait")
	for name, in := range p.instances() {
		if in.Status.Phase != api.PhaseRunning {
			t.Errorf("%s is %s after another up", name, in.Status.Phase)
		}
	}
	p.Must(t, p.args("down")...)
	p.noneLeft()
}

func TestComposeRefuses(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	for name, c := range map[string]struct{ yaml, want string }{
		"circle":  {"services:\n  a: {image: IMAGE, depends_on: [b]}\n  b: {image: IMAGE, depends_on: [a]}\n", "cycle"},
		"build":   {"services:\n  a: {build: .}\n", "virga builds no images"},
		"no pull": {"services:\n  a: {image: not-there, pull_policy: never}\n", "pull_policy forbids"},
		"typo":    {"services:\n  a: {imag: IMAGE}\n", "imag"},
		"network": {"services:\n  a: {image: IMAGE, networks: [n]}\nnetworks: {n: {external: true, name: nowhere}}\n", "nowhere"},
		"health":  {"services:\n  a: {image: IMAGE, command: sleep 1000, stop_grace_period: 0s}\n  b: {image: IMAGE, depends_on: {a: {condition: service_healthy}}}\n", "has no health check"},
	} {
		t.Run(name, func(t *testing.T) {
			p := d.compose(t, "wrong", strings.ReplaceAll(c.yaml, "IMAGE", image))
			r := d.CLI(p.args("up", "-d")...)
			if r.Code == 0 || !strings.Contains(r.Stderr, c.want) {
				t.Errorf("want a refusal with %q: %v", c.want, r)
			}
		})
	}
	p := d.compose(t, "warned", fmt.Sprintf("services:\n  a: {image: %s, logging: {driver: none}}\n", image))
	r := d.CLI(p.args("config")...)
	contains(t, r.Stdout, "logging:")
	contains(t, r.Stderr, "services.a.logging is not honoured")
}

// What deploy.placement says of the node is honoured, or refused with what the
// node lacks; --scale goes before the file's number until an up without it.
func TestComposePlacement(t *testing.T) {
	d := Start(t)
	const yaml = `
services:
  a:
    image: IMAGE
    command: sleep 1000
    stop_grace_period: 0s
    deploy:
      replicas: 2
      placement: {constraints: [WHERE], max_replicas_per_node: 3}
`
	file := func(where string) string {
		return strings.NewReplacer("IMAGE", d.Busybox(t), "WHERE", where).Replace(yaml)
	}
	p := d.compose(t, "place", file("node.labels.zone==nowhere"))
	r := d.CLI(p.args("up", "-d", "--wait")...)
	if r.Code == 0 || !strings.Contains(r.Stderr, "1 node not zone=nowhere") {
		t.Errorf("a constraint that does not hold: %v", r)
	}
	p.write(file("node.platform.os==linux"))
	p.up("--wait")
	equal(t, "instances", strconv.Itoa(len(p.instances())), "2")
	p.up("--wait", "--scale", "a=3")
	equal(t, "instances by --scale", strconv.Itoa(len(p.instances())), "3")
	p.up("--wait")
	equal(t, "instances without --scale", strconv.Itoa(len(p.instances())), "2")
	if r := d.CLI(p.args("up", "-d", "--wait", "--scale", "a=4")...); r.Code == 0 || !strings.Contains(r.Stderr, "3 of place-a already") {
		t.Errorf("more than may be on a node: %v", r)
	}
	p.Must(t, p.args("down")...)
	p.noneLeft()

	r = d.CLI("create", "--constraint", "virga.os!=linux", d.Busybox(t))
	if r.Code == 0 {
		t.Error("a constraint that does not hold was taken")
	}
	contains(t, r.Stderr, "1 node not virga.os!=linux")
}

// Changes of files come to the running instance, and restart it where that is
// asked for.
func TestComposeWatch(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("a", "one")
	p := d.compose(t, "live", "services:\n  web:\n    image: "+image+"\n    command: [sleep, \"1000\"]\n    stop_grace_period: 0s\n    develop:\n      watch:\n"+
		"        - {path: "+dir+", action: sync, target: /srv/app, initial_sync: true}\n"+
		"        - {path: "+filepath.Join(dir, "again")+", action: restart}\n        - {path: "+dir+", action: rebuild}\n")
	ctx, cancel := context.WithCancel(t.Context())
	cmd := d.Command(ctx, p.args("watch")...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	end := func() {
		if !ended {
			ended = true
			cancel()
			_ = cmd.Wait()
		}
	}
	defer end()
	has := func(want string) {
		t.Helper()
		eventually(t, "the files are "+want, func() (bool, string) {
			r := d.CLI("exec", "live-web-1", "sh", "-c", "cd /srv/app && cat * | tr -d '\\n'")
			return strings.TrimSpace(r.Stdout) == want, r.String()
		})
	}
	has("one")
	write("b", "two")
	has("onetwo")
	if err := os.Remove(filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	has("two")
	before := d.Inspect(t, "live-web-1").Status.PID
	write("again", "")
	eventually(t, "it is restarted", func() (bool, string) {
		in := d.Inspect(t, "live-web-1")
		return in.Status.Phase == api.PhaseRunning && in.Status.PID != before, string(in.Status.Phase)
	})
	end()
	contains(t, said.String(), `action "rebuild" is not honoured`)
}
