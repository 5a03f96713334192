package daemon

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virga-cloud/virga/api"
)

func TestMainRefuses(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("log:\n  levle: info\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		args []string
		want string
		code int
	}{
		"unknown flag":       {[]string{"--no-such"}, "not defined", 2},
		"bad value":          {[]string{"--warm=x"}, "want a number", 2},
		"argument":           {[]string{"now"}, "unexpected argument", 2},
		"bad file":           {[]string{"--config", bad}, bad + ":2: there is no setting", 2},
		"missing file":       {[]string{"--config", bad + "x"}, "hint: name a file that exists", 2},
		"relative directory": {[]string{"--data-dir", "x"}, "not an absolute path", 2},
		"help":               {[]string{"--help"}, "Usage: virga server", 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if code := Main(tt.args, &out, &out); code != tt.code || !strings.Contains(out.String(), tt.want) {
				t.Errorf("status %d, %s", code, out.String())
			}
		})
	}
}

func TestLockHoldsOthersOff(t *testing.T) {
	dir := t.TempDir()
	l, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock(dir); api.CodeOf(err) != api.CodeConflict {
		t.Errorf("second lock: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l, err = lock(dir)
	if err != nil {
		t.Fatalf("lock after its release: %v", err)
	}
	l.Close()
}

func TestNodeNameIsRemembered(t *testing.T) {
	dir := t.TempDir()
	if n, err := nodeName(dir, "one"); n != "one" || err != nil {
		t.Fatal(n, err)
	}
	if n, err := nodeName(dir, ""); n != "one" || err != nil {
		t.Fatal(n, err)
	}
	if _, err := nodeName(dir, "two"); api.CodeOf(err) != api.CodeConflict {
		t.Errorf("another name: %v", err)
	}
}

func TestLabel(t *testing.T) {
	for in, want := range map[string]string{
		"Host.example.org": "host", "my_host": "my-host", "": "node", "-x-": "x", "ü": "node",
		strings.Repeat("a", 70): strings.Repeat("a", 63),
	} {
		got := label(in)
		if got != want || api.ValidateName("node", got) != nil {
			t.Errorf("label(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestNotify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	if err := notify("READY=1"); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 64)
	n, err := c.Read(b)
	if err != nil || string(b[:n]) != "READY=1" {
		t.Errorf("%q, %v", b[:n], err)
	}
}
