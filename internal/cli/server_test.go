package cli

import (
	"slices"
	"testing"
)

func TestDaemonArgs(t *testing.T) {
	for name, c := range map[string]struct {
		args         []string
		socket, self string
		want         []string
	}{
		"nothing is known":      {nil, "", "", []string{"virgad"}},
		"socket and file":       {[]string{"reset"}, "unix:///s", "/bin/virga", []string{"virgad", "reset", "--socket=/s", "--command=/bin/virga"}},
		"what is typed goes on": {[]string{"--socket", "/t", "--command=/v"}, "/s", "/bin/virga", []string{"virgad", "--socket", "/t", "--command=/v"}},
	} {
		if got := daemonArgs(c.args, c.socket, c.self); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
