package test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/virga-cloud/virga/api"
)

// What --pid, --ipc, --uts and --network share, seen from inside.
func TestSharedNamespaces(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.Must(t, "run", "-d", "--name", "web", image, "sh", "-c", "echo theirs > /dev/shm/x; sleep 100000")
	d.WaitFor(t, "web", "its shared memory", func(api.Instance) bool {
		return strings.TrimSpace(d.CLI("exec", "web", "cat", "/dev/shm/x").Stdout) == "theirs"
	})
	link := func(path string) string {
		t.Helper()
		s, err := os.Readlink(path)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	host, _ := os.Hostname()
	pid := "/proc/" + strconv.Itoa(d.Inspect(t, "web").Status.PID) + "/ns/"
	const ns = "readlink /proc/self/ns/"
	for _, tt := range []struct{ flags, shell, want string }{
		{"--pid host --userns host", ns + "pid; [ -d /proc/" + strconv.Itoa(os.Getpid()) + " ] && echo seen", link("/proc/self/ns/pid") + "\nseen"},
		{"--ipc host --privileged", ns + "ipc", link("/proc/self/ns/ipc")},
		{"--uts host --userns host", "hostname; cat /etc/hostname; echo $HOSTNAME", host + "\n" + host + "\n" + host},
		{"--pid container:web", ns + "pid; tr '\\0' ' ' < /proc/1/cmdline | cut -c1-5; kill -0 1 && echo may", link(pid+"pid") + "\nsleep\nmay"},
		{"--pid container:web", "ip -o link show eth0 | wc -l; hostname -i | grep -c . ; echo > /proc/1/root/tmp/reached && echo root", "1\n1\nroot"},
		{"--pid container:web --privileged", ns + "pid; kill -0 1 && echo may", link(pid+"pid") + "\nmay"},
		{"--ipc container:web", ns + "ipc; cat /dev/shm/x; echo more >> /dev/shm/y", link(pid+"ipc") + "\ntheirs"},
		{"--network container:web", ns + "net; hostname; echo $HOSTNAME; grep -c web /etc/hosts", link(pid+"net") + "\nweb\nweb\n2"},
		{"--net container:web --pid container:web --ipc container:web", ns + "user; cat /dev/shm/x", link(pid+"user") + "\ntheirs"},
	} {
		r := d.CLI(append(append([]string{"run", "--rm"}, strings.Fields(tt.flags)...), image, "sh", "-c", tt.shell)...)
		if got := strings.TrimSpace(r.Stdout); r.Code != 0 || got != tt.want {
			t.Errorf("%s\nwant: %s\nhave: %v", tt.flags, tt.want, r)
		}
	}
	equal(t, "what another wrote", d.Must(t, "exec", "web", "cat", "/dev/shm/y"), "more")

	for flags, want := range map[string]string{
		"--pid host":           "--userns host",
		"--ipc host":           "--userns host",
		"--uts host":           "--userns host",
		"--pid container:none": `no instance "none"`,
		"--pid world":          "private, host, instance:NAME",
		"--pid container:web --ipc container:other":      "namespaces of two instances",
		"--network container:web -p 80":                  "give them to web",
		"--network container:web -h other":               "has no host name of its own",
		"--network container:web --network default":      "has no networks of its own",
		"--ipc container:web --sysctl kernel.shmmni=200": "would change a namespace that the instance shares",
	} {
		contains(t, d.Refused(t, append(append([]string{"run", "--rm"}, strings.Fields(flags)...), image, "true")...), want)
	}
}

// Who shares a namespace outlives the daemon with it, and ends with a PID
// namespace that ends; what it leaves running in one that goes on is ended.
func TestLifeOnSharedNamespaces(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.Must(t, "run", "-d", "--name", "web", image, "sleep", "100000")
	d.Must(t, "run", "-d", "--name", "watcher", "--pid", "container:web", image, "sleep", "100000")
	d.Must(t, "run", "-d", "--name", "sidecar", "--network", "container:web", image, "sleep", "100000")
	d.Kill9(t)
	d.Restart(t)
	contains(t, d.Must(t, "exec", "sidecar", "ip", "-o", "link"), "eth0")
	contains(t, d.Must(t, "exec", "watcher", "cat", "/proc/1/cmdline"), "sleep")
	contains(t, d.Refused(t, "network", "connect", "default", "sidecar"), "another instance's network")

	d.Must(t, "stop", "-t", "0", "web")
	if in := d.WaitPhase(t, "watcher", api.PhaseStopped); exitCode(in) != 137 {
		t.Errorf("exit code %d, want 137", exitCode(in))
	}
	// Its address may be another's from now on.
	if links := d.Must(t, "exec", "sidecar", "ip", "-o", "link"); strings.Contains(links, "eth0") {
		t.Errorf("the network of an instance that has ended: %s", links)
	}
	contains(t, d.Refused(t, "start", "watcher"), "virga start web")
	d.Must(t, "start", "web", "watcher")
	d.Must(t, "restart", "-t", "0", "sidecar")
	contains(t, d.Must(t, "exec", "sidecar", "ip", "-o", "link"), "eth0")
	d.Must(t, "rm", "-f", "web", "watcher", "sidecar")

	d.Must(t, "run", "--rm", "--pid", "host", "--userns", "host", image, "sh", "-c", "sleep 918273 & true")
	eventually(t, "nothing runs that was left in the node's PID namespace", func() (bool, string) {
		n := countProcesses("sleep\x00918273\x00")
		return n == 0, strconv.Itoa(n)
	})
}
