package cli

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
		_, _ = parseServicePort(s)
		_, _ = parseCheck(s)
		_, _ = parseSchedule(s)
		_, _ = parseRule(s, s)
		_, _ = parseDetachKeys(s)
		_, _ = parseTime("since", s, time.Unix(0, 0))
		if match, err := eventFilter([]string{s}); err == nil {
			match(api.Event{Kind: "instance"})
		}
		if key, value, ok := strings.Cut(s, "="); ok {
			if match, err := instanceTest(key, value); err == nil {
				match(api.Instance{})
			}
		}
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

// FuzzUnpack unpacks what an instance's files may hold, as virga cp does: what
// lies beside the directory stays as it is.
func FuzzUnpack(f *testing.F) {
	for _, h := range []tar.Header{
		{Name: "a", Typeflag: tar.TypeReg, Mode: 0o644},
		{Name: "../a", Typeflag: tar.TypeReg},
		{Name: "/secret", Typeflag: tar.TypeReg},
		{Name: "l", Linkname: "../secret", Typeflag: tar.TypeSymlink},
		{Name: "d/", Typeflag: tar.TypeDir},
	} {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range []tar.Header{h, {Name: strings.TrimSuffix(h.Name, "/") + "/x", Typeflag: tar.TypeReg}, {Name: strings.TrimSuffix(h.Name, "/"), Typeflag: tar.TypeReg}} {
			if err := w.WriteHeader(&h); err != nil {
				f.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes(), "")
		f.Add(b.Bytes(), "l")
	}
	f.Fuzz(func(t *testing.T, b []byte, name string) {
		top := t.TempDir()
		dir, secret := filepath.Join(top, "dir"), filepath.Join(top, "secret")
		if err := os.WriteFile(secret, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		u := unpacking{dir: dir, name: name}
		_ = u.unpack(bytes.NewReader(b))
		if got, err := os.ReadFile(secret); err != nil || string(got) != "precious" {
			t.Errorf("beside the directory: %q, %v", got, err)
		}
		if entries, err := os.ReadDir(top); err != nil || len(entries) != 2 {
			t.Errorf("beside the directory: %v, %v", entries, err)
		}
	})
}

// FuzzCredentials reads any bytes as Docker's configuration.
func FuzzCredentials(f *testing.F) {
	f.Add([]byte(`{"auths":{"localhost:5000":{"auth":"dTpw"},"https://index.docker.io/v1/":{"username":"u","password":"p"}}}`), "localhost:5000/x")
	f.Add([]byte(`{"auths":{"r":{"auth":"="}}}`), "r.io/x")
	f.Fuzz(func(t *testing.T, b []byte, reference string) {
		var c dockerConfig
		if json.Unmarshal(b, &c) != nil {
			return
		}
		c.CredsStore, c.CredHelpers = "", nil // they name programs, which are not run here
		if _, err := c.find(t.Context(), registryOf(reference)); err != nil && api.CodeOf(err) != api.CodeInvalid {
			t.Error(err)
		}
	})
}

// FuzzTemplate reads any text as a --format and applies it.
func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"{{.Name}}", "table {{.ID}}\\t{{json .}}", "{{range .Names}}{{.}}{{end}}", "{{printf \"%999d\" 1}}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tmpl, err := parseTemplate(text)
		if err != nil || strings.Contains(text, "define") || strings.Contains(text, "block") {
			return // templates that call themselves end in an error, but late
		}
		var out limited
		_ = tmpl.Execute(&out, api.Instance{})
	})
}

// limited takes as much as a terminal would.
type limited int

func (l *limited) Write(p []byte) (int, error) {
	if *l += limited(len(p)); *l > 1<<20 {
		return 0, os.ErrClosed
	}
	return len(p), nil
}
