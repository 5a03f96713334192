package test

import (
	"path/filepath"
	"strings"
	"testing"
)

// -a chooses streams; with input alone nobody waits for the end.
func TestAttachChoosesStreams(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	both := []string{image, "sh", "-c", "echo out; echo err >&2"}
	for _, tt := range []struct{ flags, stdout, stderr string }{
		{"", "out\n", "err\n"},
		{"-a stdout", "out\n", ""},
		{"-a STDERR", "", "err\n"},
		{"--attach stdout --attach stderr", "out\n", "err\n"},
	} {
		r := d.CLI(append(append([]string{"run", "--rm"}, strings.Fields(tt.flags)...), both...)...)
		if r.Code != 0 || r.Stdout != tt.stdout || r.Stderr != tt.stderr {
			t.Errorf("%q: %v", tt.flags, r)
		}
	}
	r := d.Feed("fed\n", "run", "-i", "-a", "stdin", image, "sh", "-c", "cat; sleep 0.2; exit 3")
	if r.Code != 0 || r.Stderr != "" {
		t.Fatal(r)
	}
	id := strings.TrimSpace(r.Stdout)
	equal(t, "exit code", d.Must(t, "wait", id), "3")
	equal(t, "what it was fed", d.Must(t, "logs", id), "fed")
	contains(t, d.Refused(t, "run", "-d", "-a", "stdout", image, "true"), "exclude each other")
	contains(t, d.Refused(t, "run", "-a", "output", image, "true"), "stdin, stdout or stderr")
}

func TestResolverOptions(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	contains(t, d.Must(t, "run", "--rm", "--dns-option", "ndots:2", "--dns-opt", "rotate", image, "cat", "/etc/resolv.conf"), "options ndots:2 rotate")
	conf := d.Must(t, "run", "--rm", "--network", "host", "--dns", "192.0.2.1", "--dns-search", "lab.example", "--dns-option", "ndots:3", image, "cat", "/etc/resolv.conf")
	for _, line := range []string{"nameserver 192.0.2.1", "search lab.example", "options ndots:3"} {
		contains(t, conf, line)
	}
	contains(t, d.Refused(t, "run", "--rm", "--dns-option", "two words", image, "true"), "--dns-option")
}

// Several images in one archive, as docker save a b | docker load.
func TestSaveAndLoadSeveralImages(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.Must(t, "tag", image, "one:1")
	d.Must(t, "tag", image, "other:1")
	file := filepath.Join(t.TempDir(), "all.tar")
	d.Must(t, "save", "-o", file, "one:1", "virga/hello")
	d.Must(t, "rmi", "one:1")
	loaded := d.Must(t, "load", "-q", "-i", file)
	contains(t, loaded, "virga/hello")
	if n := len(strings.Fields(loaded)); n != 2 {
		t.Errorf("two images were loaded: %s", loaded)
	}
	equal(t, "image", d.image(t, "one:1").ID, d.image(t, "other:1").ID)
	contains(t, d.Refused(t, "save", "-o", file, "one:1", "missing:1"), "missing:1")
	d.Must(t, "rmi", "one:1", "other:1")
}

// What a prune takes and leaves by its filters.
func TestPruneFilters(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	for _, keep := range []string{"yes", "no"} {
		d.Must(t, "volume", "create", "--label", "keep="+keep, "v-"+keep)
		d.Must(t, "network", "create", "--label", "keep="+keep, "n-"+keep)
		d.Must(t, "run", "--label", "keep="+keep, "--name", "i-"+keep, image, "true")
	}
	for _, noun := range []string{"volume", "network", "container"} {
		prune := []string{noun, "prune", "-f"}
		if noun == "volume" {
			prune = append(prune, "-a")
		}
		none := d.Must(t, append(prune, "--filter", "until=24h")...)
		if strings.Contains(none, "yes") || strings.Contains(none, "no\n") {
			t.Errorf("%s: nothing is as old: %s", noun, none)
		}
		d.Must(t, append(prune, "--filter", "label!=keep=yes", "--filter", "label=keep")...)
	}
	left := d.Must(t, "volume", "ls", "-q") + d.Must(t, "network", "ls", "--format", "{{.Name}}") + d.Must(t, "ps", "-a", "--format", "{{.Names}}")
	for _, x := range []string{"v-yes", "n-yes", "i-yes"} {
		contains(t, left, x)
	}
	for _, x := range []string{"v-no", "n-no", "i-no"} {
		if strings.Contains(left, x) {
			t.Errorf("%s is left", x)
		}
	}
	// A named volume outlives what tidies the whole system.
	d.Must(t, "system", "prune", "-f", "--volumes", "--filter", "label=keep")
	contains(t, d.Must(t, "volume", "ls", "-q"), "v-yes")
	if strings.Contains(d.Must(t, "ps", "-a", "--format", "{{.Names}}"), "i-yes") {
		t.Error("an instance that has ended is left")
	}
	contains(t, d.Refused(t, "image", "prune", "-f", "--filter", "name=x"), "until, label, label!")
	d.Must(t, "volume", "rm", "v-yes")
	d.Must(t, "network", "rm", "n-yes")
}
