package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virga-cloud/virga/api"
)

// Every flag of run that a Docker user has in the fingers, seen from inside.
func TestRunFlags(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	host := t.TempDir()
	os.Chmod(host, 0o755)
	write(t, filepath.Join(host, "file"), "from the host\n")
	envFile := filepath.Join(host, "env")
	write(t, envFile, "# comment\nFROM_FILE=yes\n\nSPACED=a b\n")

	tests := []struct {
		name  string
		flags string
		shell string
		want  string
	}{
		{"environment", "-e A=1 --env B=two", `echo $A $B`, "1 two"},
		{"environment file", "--env-file " + envFile, `echo "$FROM_FILE $SPACED"`, "yes a b"},
		{"working directory", "-w /var/www", "pwd", "/var/www"},
		{"a missing working directory is made", "-w /made/here", "pwd", "/made/here"},
		{"user by name", "-u user", "id -u; id -g", "1000\n1000"},
		{"user and group by number", "-u 1234:5678", "id -u; id -g", "1234\n5678"},
		{"additional groups of a named user", "-u user", "id -G", "1000 2000"},
		{"home of the user", "-u user", "echo $HOME", "/home/user"},
		{"host name", "--hostname box", "hostname; cat /proc/sys/kernel/hostname", "box\nbox"},
		{"default path", "", "echo $PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		{"bind", "-v " + host + ":/mnt/host", "cat /mnt/host/file", "from the host"},
		{"bind, read-only", "-v " + host + ":/mnt/host:ro", "touch /mnt/host/x 2>/dev/null || echo refused", "refused"},
		{"bind by --mount", "--mount type=bind,source=" + host + ",target=/mnt/host,readonly", "cat /mnt/host/file; touch /mnt/host/x 2>/dev/null || echo refused", "from the host\nrefused"},
		{"bind of one file", "-v " + host + "/file:/etc/one", "cat /etc/one", "from the host"},
		{"tmpfs", "--tmpfs /scratch:size=1m", "df -k /scratch | tail -1 | awk '{print $1, $2}'", "tmpfs 1024"},
		{"tmpfs of a user", "--tmpfs /scratch:uid=1000,gid=2000,mode=750", "stat -c '%u %g %a' /scratch", "1000 2000 750"},
		{"programs on a tmpfs", "--tmpfs /scratch", "cp /bin/busybox /scratch/echo; /scratch/echo hi 2>/dev/null || echo refused", "refused"},
		{"programs on a tmpfs for them", "--tmpfs /scratch:exec", "cp /bin/busybox /scratch/echo; /scratch/echo hi", "hi"},
		{"own namespaces", "--pid private --ipc shareable --cgroupns private", "echo $$", "1"},
		{"read-only root", "--read-only", "touch /x 2>/dev/null || echo refused", "refused"},
		{"read-only root with a tmpfs", "--read-only --tmpfs /tmp", "touch /tmp/x && echo written", "written"},
		{"open files", "--ulimit nofile=123:456", "ulimit -n; ulimit -Hn", "123\n456"},
		{"few open files", "--ulimit nofile=10:20", "ulimit -n; ulimit -Hn", "10\n20"},
		{"one process", "--pids-limit 1", "echo alone", "alone"},
		{"shared memory", "--shm-size 8m", "df -k /dev/shm | tail -1 | awk '{print $2}'", "8192"},
		{"all capabilities dropped", "--cap-drop ALL", "grep CapEff /proc/self/status | awk '{print $2}'", "0000000000000000"},
		{"one capability", "--cap-drop ALL --cap-add NET_RAW", "grep CapEff /proc/self/status | awk '{print $2}'", "0000000000002000"},
		{"default capabilities", "", "grep CapBnd /proc/self/status | awk '{print $2}'", "00000000a80425fb"},
		{"no new privileges", "", "grep NoNewPrivs /proc/self/status | awk '{print $2}'", "1"},
		{"seccomp filter", "", "grep '^Seccomp:' /proc/self/status | awk '{print $2}'", "2"},
		{"seccomp unconfined", "--security-opt seccomp=unconfined", "grep '^Seccomp:' /proc/self/status | awk '{print $2}'", "0"},
		{"entrypoint", "--entrypoint /bin/echo", "", "-c"},
		{"first process", "", "echo $$", "1"},
		{"init", "--init", "[ $$ != 1 ] && echo second", "second"},
		{"extra host", "--add-host db:10.1.2.3", "grep -w db /etc/hosts | awk '{print $1}'", "10.1.2.3"},
		{"no network", "--network none", "ip -o link | wc -l", "1"},
		{"sysctl", "--sysctl net.ipv4.ip_unprivileged_port_start=7", "cat /proc/sys/net/ipv4/ip_unprivileged_port_start", "7"},
		{"root is not the node's root", "", "awk '{print ($2 != 0)}' /proc/self/uid_map", "1"},
		{"userns of the host", "--userns host", "awk '{print $2}' /proc/self/uid_map", "0"},
		{"privileged", "--privileged", "grep CapEff /proc/self/status | awk '{print ($2 ~ /ffff$/)}'", "1"},
		{"masked paths", "", "cat /proc/kcore 2>/dev/null | wc -c", "0"},
		{"protected paths", "", "(echo 1 > /proc/sys/kernel/domainname) 2>/dev/null || echo refused", "refused"},
		{"device nodes", "", "ls /dev | grep -vxE 'console|core' | tr '\\n' ' '", "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero"},
		{"a written root", "", "echo x > /new && cat /new", "x"},
		{"zombies of others are not seen", "", "ls -d /proc/[0-9]* | wc -l | awk '{print ($1 < 8)}'", "1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := append([]string{"run", "--rm"}, strings.Fields(tt.flags)...)
			args = append(args, image)
			if tt.shell == "" {
				args = append(args, "-c")
			} else {
				args = append(args, "sh", "-c", tt.shell)
			}
			r := d.CLI(args...)
			got := strings.TrimSpace(r.Stdout)
			if r.Code != 0 || got != tt.want {
				t.Errorf("%s\nwant: %s\nhave: %v", strings.Join(args, " "), tt.want, r)
			}
		})
	}
}

func TestRunPassesExitCodesThrough(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	tests := []struct {
		name string
		args []string
		want int
	}{
		{"success", []string{"true"}, 0},
		{"its own code", []string{"sh", "-c", "exit 42"}, 42},
		{"a signal", []string{"sh", "-c", "kill -9 $$; sh -c 'kill -9 $PPID'"}, 137},
		{"no such command", []string{"no-such-command"}, 127},
		{"not executable", []string{"/etc/passwd"}, 126},
		{"a directory", []string{"/etc"}, 126},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "a signal" { // the first process of a PID namespace is safe from itself
				id := d.Must(t, "run", "-d", image, "sleep", "1000")
				d.Must(t, "kill", id)
				equal(t, "wait", d.Must(t, "wait", id), "137")
				return
			}
			r := d.CLI(append([]string{"run", "--rm", image}, tt.args...)...)
			if r.Code != tt.want {
				t.Errorf("want exit %d, have: %v", tt.want, r)
			}
		})
	}
}

func TestRunJoinsStandardStreams(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	r := d.Feed("one\ntwo\n", "run", "--rm", "-i", image, "sh", "-c", "cat; echo err >&2; exit 3")
	equal(t, "stdout", r.Stdout, "one\ntwo\n")
	equal(t, "stderr", r.Stderr, "err\n")
	if r.Code != 3 {
		t.Errorf("exit %d, want 3", r.Code)
	}
	// Without -i standard input is empty, not the caller's.
	r = d.Feed("unseen\n", "run", "--rm", image, "cat")
	equal(t, "stdout without -i", r.Stdout, "")
	// Megabytes go through whole.
	big := strings.Repeat("0123456789abcdef", 1<<16)
	r = d.Feed(big, "run", "--rm", "-i", image, "cat")
	if r.Stdout != big {
		t.Errorf("%d bytes of %d came back, exit %d, %s", len(r.Stdout), len(big), r.Code, r.Stderr)
	}
}

func TestNamedVolumesOutliveInstances(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.Must(t, "run", "--rm", "-v", "kept:/data", image, "sh", "-c", "echo precious > /data/x")
	equal(t, "content", d.Must(t, "run", "--rm", "-v", "kept:/data:ro", image, "cat", "/data/x"), "precious")
	contains(t, d.Must(t, "volume", "ls"), "kept")
	// A new volume is filled with what the image has there.
	equal(t, "copied from the image", d.Must(t, "run", "--rm", "-v", "www:/var/www", image, "cat", "/var/www/index.html"), "hello from busybox")
	// A volume in use cannot be removed.
	id := d.Must(t, "run", "-d", "-v", "kept:/data", image, "sleep", "1000")
	d.Refused(t, "volume", "rm", "kept")
	d.Must(t, "rm", "-f", id)
	d.Must(t, "volume", "rm", "kept", "www")
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// What another instance has mounted: paths, volumes, and those without a name.
func TestVolumesFrom(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	host := t.TempDir()
	os.Chmod(host, 0o755)
	write(t, filepath.Join(host, "file"), "from the host\n")
	d.Must(t, "run", "-d", "--name", "donor", "-v", host+":/host:ro", "-v", "named-data:/named", "-v", "/anonymous", "--tmpfs", "/memory",
		image, "sh", "-c", "echo a >/anonymous/x; echo n >/named/x; touch /memory/x; touch /ready; sleep 1000")
	d.WaitFor(t, "donor", "its files are there", func(api.Instance) bool { return d.CLI("exec", "donor", "test", "-e", "/ready").Code == 0 })
	equal(t, "what it sees", d.Must(t, "run", "--rm", "--volumes-from", "donor", image, "sh", "-c",
		"cat /host/file /named/x /anonymous/x; test -e /memory || echo no memory; touch /named/y && echo written"),
		"from the host\nn\na\nno memory\nwritten")
	equal(t, "read-only, and one place of its own", d.Must(t, "run", "--rm", "--volumes-from", "donor:ro", "-v", "/host", image, "sh", "-c",
		"touch /named/z 2>/dev/null || echo refused; ls /host"), "refused")
	contains(t, d.Refused(t, "run", "--rm", "--volumes-from", "nobody", image, "true"), "nobody")
	d.Must(t, "rm", "-fv", "donor")
	d.Must(t, "volume", "rm", "named-data")
}

// A log has the size that was asked for, not the node's.
func TestRunBoundsTheLog(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.Must(t, "run", "--name", "chatty", "--log-driver", "json-file", "--log-opt", "max-size=64k", "--log-opt", "max-file=2", image,
		"sh", "-c", "for i in $(seq 1 6000); do echo line $i of many, each as long as this; done")
	lines := strings.Split(d.Must(t, "logs", "chatty"), "\n")
	if n := len(lines); n < 100 || n > 3000 {
		t.Errorf("%d lines are kept of 6000 in two files of 64 KiB", n)
	}
	equal(t, "the last line", lines[len(lines)-1], "line 6000 of many, each as long as this")
	contains(t, d.Refused(t, "run", "--rm", "--log-opt", "max-size=1k", image, "true"), "64 KiB")
	contains(t, d.Refused(t, "run", "--rm", "--log-driver", "syslog", image, "true"), "logs are kept on the node")
}
