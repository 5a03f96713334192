package test

import (
	"strings"
	"testing"
)

func TestExec(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	id := d.Must(t, "run", "-d", "--name", "host", "-e", "FROM=run", "--ulimit", "nofile=123:456", "--oom-score-adj", "321", image, "sleep", "1000")
	tests := []struct {
		name  string
		flags string
		shell string
		code  int
		want  string
	}{
		{"exit code", "", "exit 33", 33, ""},
		{"environment of the instance", "", "echo $FROM", 0, "run"},
		{"environment of its own", "-e MORE=1", "echo $FROM$MORE", 0, "run1"},
		{"user", "-u user", "id -un; id -G", 0, "user\n1000 2000"},
		{"working directory", "-w /var/www", "pwd", 0, "/var/www"},
		{"sees the instance's processes", "", "ps | grep -c '[s]leep 1000'", 0, "1"},
		{"the same capabilities", "", "grep CapBnd /proc/self/status | awk '{print $2}'", 0, "00000000a80425fb"},
		{"the same seccomp filter", "", "grep '^Seccomp:' /proc/self/status | awk '{print $2}'", 0, "2"},
		{"the same ulimits", "", "ulimit -n; ulimit -Hn", 0, "123\n456"},
		{"the same readiness to be killed", "", "cat /proc/self/oom_score_adj", 0, "321"},
		{"the same host name", "", "hostname", 0, "host"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := append([]string{"exec"}, strings.Fields(tt.flags)...)
			r := d.CLI(append(args, "host", "sh", "-c", tt.shell)...)
			if r.Code != tt.code || strings.TrimSpace(r.Stdout) != tt.want {
				t.Errorf("want exit %d, %q, have: %v", tt.code, tt.want, r)
			}
		})
	}
	r := d.Feed("a\nb\n", "exec", "-i", id, "cat")
	equal(t, "exec -i cat", r.Stdout, "a\nb\n")

	d.Must(t, "exec", "-d", "host", "sh", "-c", "echo detached > /tmp/mark")
	eventually(t, "the detached exec's file", func() (bool, string) {
		r := d.CLI("exec", "host", "cat", "/tmp/mark")
		return strings.TrimSpace(r.Stdout) == "detached", r.String()
	})
	if r := d.CLI("exec", "host", "no-such-command"); r.Code != 127 {
		t.Errorf("a missing command: %v", r)
	}
	d.Must(t, "stop", "-t", "1", "host")
	contains(t, d.Refused(t, "exec", "host", "true"), "host")
}
