package cli

import (
	"bytes"
	"path"
	"strings"
	"testing"

	"github.com/virga-cloud/virga/api"
)

func FuzzPorts(f *testing.F) {
	for _, s := range []string{"80", "127.0.0.1:8000-8001:80-81/udp", "[::1]:1:1", "1:2:3:4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ports, err := parsePorts(s)
		if err == nil && len(ports) == 0 {
			t.Errorf("%q means nothing", s)
		}
		for _, p := range ports {
			if p.Port == 0 || p.Protocol != "tcp" && p.Protocol != "udp" {
				t.Errorf("%q makes %+v", s, p)
			}
		}
	})
}

func FuzzMounts(f *testing.F) {
	for _, s := range []string{"/a:/b:ro", "data:/x", "type=tmpfs,target=/t,tmpfs-size=1m", "/t:size=1g,mode=700"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, parse := range []func() (api.Mount, error){
			func() (api.Mount, error) { return parseVolume(s, "/here") },
			func() (api.Mount, error) { return parseMount(s, "/here") },
			func() (api.Mount, error) { return parseTmpfs(s) },
		} {
			m, err := parse()
			if err != nil {
				continue
			}
			if path.Clean(m.Target) != m.Target || m.Target == "/" || m.Size < 0 {
				t.Errorf("%q makes %+v", s, m)
			}
			if m.Type == api.MountBind && !path.IsAbs(m.Source) {
				t.Errorf("%q binds %q", s, m.Source)
			}
		}
	})
}

func FuzzWords(f *testing.F) {
	for _, s := range []string{"nofile=1:2", "on-failure:3", "/dev/a:/dev/b:rw", "name=lan,ip=1.2.3.4", "db:1.2.3.4", "seccomp=x", "K=V"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if u, err := parseUlimit(s); err == nil && u.Hard >= 0 && u.Soft > u.Hard {
			t.Errorf("%q makes %+v", s, u)
		}
		_, _ = parseRestart(s)
		_, _ = parseDevice(s)
		_, _ = parseNetwork(s)
		_, _ = parseHost(s)
		_, _ = parseRate("f", s, true)
		_, _ = parseSwap(s)
		_, _ = parseSecurity(new(api.Security), s, func(string) (string, error) { return "", nil })
		none := func(string) (string, bool) { return "", false }
		env, err := parseEnvFile(strings.NewReader(s), none)
		for _, e := range env {
			if err == nil && strings.IndexByte(e, '=') < 1 {
				t.Errorf("%q makes the variable %q", s, e)
			}
		}
	})
}

func FuzzDetacher(f *testing.F) {
	f.Add([]byte{16, 17}, []byte("ab\x10\x10\x11"))
	f.Add([]byte("aab"), []byte("aaab"))
	f.Fuzz(func(t *testing.T, keys, in []byte) {
		if len(keys) == 0 {
			return
		}
		d := detacher{keys: keys}
		out, detached := d.pass(in)
		at := bytes.Index(in, keys)
		if detached != (at >= 0) {
			t.Fatalf("keys %q in %q: detached %t", keys, in, detached)
		}
		want := in
		if detached {
			want = in[:at]
		}
		if got := append(out, keys[:d.held]...); !bytes.Equal(got, want) {
			t.Errorf("keys %q in %q: %q, want %q", keys, in, got, want)
		}
	})
}
