package test

import (
	"path/filepath"
	"testing"
)

// Each mistake gets one clear error that names what is wrong, and leaves
// nothing behind.
func TestMistakesInRun(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.Must(t, "run", "-d", "--name", "taken", image, "sleep", "1000")
	none := filepath.Join(t.TempDir(), "none")
	tests := []struct {
		name string
		args []string
		want []string
	}{
		{"no image", []string{"run"}, nil},
		{"unknown image", []string{"run", "localhost:1/no/such:image"}, []string{"no/such"}},
		{"bad image name", []string{"run", "UPPER CASE"}, []string{"UPPER CASE"}},
		{"unknown flag", []string{"run", "--no-such-flag", image}, []string{"no-such-flag"}},
		{"name taken", []string{"run", "--name", "taken", image, "true"}, []string{"taken"}},
		{"bad name", []string{"run", "--name", "Not A Name", image, "true"}, []string{"Not A Name"}},
		{"unknown user", []string{"run", "--rm", "-u", "nobody-here", image, "true"}, []string{"nobody-here"}},
		{"missing mount source", []string{"run", "--rm", "--mount", "type=bind,source=" + none + ",target=/x", image, "true"}, []string{none}},
		{"relative mount target", []string{"run", "--rm", "-v", "/tmp:relative", image, "true"}, []string{"relative"}},
		{"bad mount type", []string{"run", "--rm", "--mount", "type=floppy,target=/x", image, "true"}, []string{"floppy"}},
		{"bad port", []string{"run", "--rm", "-p", "99999:80", image, "true"}, []string{"99999"}},
		{"unknown network", []string{"run", "--rm", "--network", "atlantis", image, "true"}, []string{"atlantis"}},
		{"unknown capability", []string{"run", "--rm", "--cap-add", "FLY", image, "true"}, []string{"FLY"}},
		{"unknown ulimit", []string{"run", "--rm", "--ulimit", "patience()=1", image, "true"}, []string{"patience()"}},
		{"bad restart policy", []string{"run", "-d", "--restart", "perhaps", image, "true"}, []string{"perhaps"}},
		{"bad signal", []string{"kill", "-s", "SIGNONSENSE", "taken"}, []string{"SIGNONSENSE"}},
		{"bad seccomp profile", []string{"run", "--rm", "--security-opt", "seccomp=" + none, image, "true"}, []string{"none"}},
		{"missing environment file", []string{"run", "--rm", "--env-file", none, image, "true"}, []string{"none"}},
		{"bad sysctl", []string{"run", "--rm", "--sysctl", "kernel.panic=1", image, "true"}, []string{"kernel.panic"}},
		{"missing device", []string{"run", "--rm", "--device", "/dev/none", image, "true"}, []string{"/dev/none"}},
		{"unknown isolation", []string{"run", "--rm", "--isolation", "wishes", image, "true"}, []string{"wishes"}},
		{"unknown instance", []string{"start", "nobody"}, []string{"nobody"}},
		{"--rm with a restart policy", []string{"run", "--rm", "--restart", "always", image, "true"}, nil},
		{"missing command", []string{"run", "--rm", image, "no-such-command"}, []string{"no-such-command"}},
	}
	before := d.Must(t, "ps", "-aq")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			contains(t, d.Refused(t, tt.args...), tt.want...)
			if after := d.Must(t, "ps", "-aq"); after != before {
				t.Errorf("an instance stayed: %s", d.Must(t, "ps", "-a"))
				d.removeAllBut("taken")
			}
			d.CheckClean(t)
		})
	}
}

// A full disk is one clear error, and what there was goes on.
func TestFullTmpfsIsTheWorkloadsOwnError(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	r := d.CLI("run", "--rm", "--tmpfs", "/small:size=64k", image, "sh", "-c", "head -c 1m /dev/zero > /small/x")
	if r.Code == 0 {
		t.Errorf("a megabyte went into 64 KiB: %v", r)
	}
}

func (d *Daemon) removeAllBut(keep string) {
	in, problem := d.inspect(keep)
	if problem != "" {
		return
	}
	for _, id := range fields(d.CLI("ps", "-aq", "--no-trunc").Stdout) {
		if id != in.ID {
			d.CLI("rm", "-f", id)
		}
	}
}
