package endpoint

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virga-cloud/virga/api"
)

func TestResolve(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, open := file("good", "virga-abc\n", 0o600), file("open", "virga-abc\n", 0o640)
	empty := file("empty", "\n", 0o600)
	const host = "https://node1:7443"
	tests := map[string]struct {
		flags Flags
		env   map[string]string
		want  Endpoint
		err   string // part of the message
	}{
		"nothing":                      {want: Endpoint{Socket: api.DefaultSocket}},
		"environment's socket":         {env: map[string]string{"VIRGA_SOCKET": "unix:///s"}, want: Endpoint{Socket: "/s"}},
		"a socket as a host":           {flags: Flags{Host: "unix:///s"}, want: Endpoint{Socket: "/s"}},
		"host and token file":          {flags: Flags{Host: host, TokenFile: good, CAFile: "ca"}, want: Endpoint{Address: "node1:7443", Token: "virga-abc", CAFile: "ca"}},
		"host of the environment":      {env: map[string]string{"VIRGA_HOST": host, "VIRGA_TOKEN": "t", "VIRGA_SOCKET": "/s", "VIRGA_PROJECT": "p"}, want: Endpoint{Address: "node1:7443", Token: "t", Project: "p"}},
		"a flag before VIRGA_HOST":     {flags: Flags{Socket: "/s"}, env: map[string]string{"VIRGA_HOST": host}, want: Endpoint{Socket: "/s"}},
		"a flag before VIRGA_TOKEN":    {flags: Flags{Host: host, TokenFile: good}, env: map[string]string{"VIRGA_TOKEN": "t"}, want: Endpoint{Address: "node1:7443", Token: "virga-abc"}},
		"port left out":                {flags: Flags{Host: "https://node1/", TokenFile: good}, want: Endpoint{Address: "node1:443", Token: "virga-abc"}},
		"IPv6":                         {flags: Flags{Host: "https://[fd00::1]:7443", TokenFile: good}, want: Endpoint{Address: "[fd00::1]:7443", Token: "virga-abc"}},
		"two daemons":                  {flags: Flags{Host: host, Socket: "/s"}, err: "name two daemons"},
		"without TLS":                  {flags: Flags{Host: "http://node1:7443", TokenFile: good}, err: "not served over http"},
		"Docker's word":                {flags: Flags{Host: "tcp://node1:7443", TokenFile: good}, err: "not served over tcp"},
		"no URL":                       {flags: Flags{Host: "node1", TokenFile: good}, err: "want https://HOST:PORT"},
		"a path":                       {flags: Flags{Host: host + "/v1", TokenFile: good}, err: "nothing else"},
		"no token":                     {flags: Flags{Host: host}, err: "no token"},
		"a token file others may read": {flags: Flags{Host: host, TokenFile: open}, err: "others than its owner"},
		"an empty token file":          {flags: Flags{Host: host, TokenFile: empty}, err: "does not hold a token"},
		"no token file":                {flags: Flags{Host: host, TokenFile: filepath.Join(dir, "none")}, err: "there is no file"},
		"a token of two lines":         {flags: Flags{Host: host}, env: map[string]string{"VIRGA_TOKEN": "a\r\nX: b"}, err: "does not hold a token"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := tt.flags.Resolve(func(k string) string { return tt.env[k] })
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil || got != tt.want {
				t.Errorf("got %+v (token %q), %v, want %+v", got, string(got.Token), err, tt.want)
			}
		})
	}
}

func FuzzResolve(f *testing.F) {
	for _, s := range []string{"https://node1:7443", "https://[::1]", "unix:///run/x", "tcp://a:1", "https://a:b@c", "%"} {
		f.Add(s, "virga-0")
	}
	f.Fuzz(func(t *testing.T, host, token string) {
		e, err := (&Flags{Host: host}).Resolve(func(k string) string {
			return map[string]string{"VIRGA_TOKEN": token}[k]
		})
		if err != nil {
			return
		}
		if (e.Socket == "") == (e.Address == "") {
			t.Errorf("host %q: socket %q and address %q", host, e.Socket, e.Address)
		}
		if e.Address != "" && strings.ContainsAny(string(e.Token), " \r\n") {
			t.Errorf("token %q can end a header", string(e.Token))
		}
	})
}
