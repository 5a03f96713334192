package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// inDir has the fake's commands use a Docker configuration of their own.
func inDir(t *testing.T, config string) (f *fakeAPI, path string) {
	t.Helper()
	f = newFake(t)
	dir := filepath.Join(t.TempDir(), "docker")
	f.vars = map[string]string{"DOCKER_CONFIG": dir}
	path = filepath.Join(dir, "config.json")
	if config != "" {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return f, path
}

func readConfig(t *testing.T, path string) map[string]any {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLoginKeepsWhatDockerKeeps(t *testing.T) {
	f, path := inDir(t, `{"psFormat":"x","auths":{"other.example":{"auth":"dTpw"},"https://localhost:5000":{"auth":"b2xkOm9sZA=="}}}`)
	status, out, errs := f.virga("right\n", "login", "-u", "me", "--password-stdin", "localhost:5000")
	if status != 0 || out != "logged in to localhost:5000 as me\n" || !strings.Contains(errs, "not encrypted") {
		t.Fatalf("status %d, %q, %q", status, out, errs)
	}
	want := map[string]any{"psFormat": "x", "auths": map[string]any{
		"other.example": map[string]any{"auth": "dTpw"}, "localhost:5000": map[string]any{"auth": "bWU6cmlnaHQ="}}}
	if d := cmp.Diff(want, readConfig(t, path)); d != "" {
		t.Error(d)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", st, err)
	}
	if status, _, errs = f.virga("", "pull", "localhost:5000/app"); status != 0 || !strings.Contains(f.called(), `"username":"me","password":"right"`) {
		t.Errorf("pull: %d %s\n%s", status, errs, f.called())
	}

	if status, out, _ = f.virga("", "logout", "https://localhost:5000/v2/"); status != 0 || out != "logged out of localhost:5000\n" {
		t.Errorf("logout: %d %q", status, out)
	}
	delete(want["auths"].(map[string]any), "localhost:5000")
	if d := cmp.Diff(want, readConfig(t, path)); d != "" {
		t.Error(d)
	}
	if status, out, _ = f.virga("", "logout", "localhost:5000"); status != 0 || out != "not logged in to localhost:5000\n" {
		t.Errorf("logout again: %d %q", status, out)
	}
}

func TestLoginMakesTheConfiguration(t *testing.T) {
	f, path := inDir(t, "")
	if status, _, errs := f.virga("right", "login", "-u", "me", "--password-stdin"); status != 0 {
		t.Fatal(errs)
	}
	want := map[string]any{"auths": map[string]any{hubKey: map[string]any{"auth": "bWU6cmlnaHQ="}}}
	if d := cmp.Diff(want, readConfig(t, path)); d != "" {
		t.Error(d)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("%v %v", left, err)
	}
}

func TestLoginUsesAHelper(t *testing.T) {
	f, path := inDir(t, `{"credsStore":"test"}`)
	bin, kept := t.TempDir(), filepath.Join(t.TempDir(), "kept")
	script := "#!/bin/sh\ncase $1 in store) cat > " + kept + ";; erase) [ -f " + kept + " ] || { echo credentials not found; exit 1; }; rm " + kept + ";; esac\n"
	if err := os.WriteFile(filepath.Join(bin, "docker-credential-test"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	status, _, errs := f.virga("right", "login", "-u", "me", "--password-stdin", "r.example")
	if status != 0 || errs != "" {
		t.Fatalf("status %d, %s", status, errs)
	}
	b, err := os.ReadFile(kept)
	if err != nil || string(b) != `{"Secret":"right","ServerURL":"r.example","Username":"me"}` {
		t.Errorf("the helper got %q, %v", b, err)
	}
	want := map[string]any{"credsStore": "test", "auths": map[string]any{"r.example": map[string]any{}}}
	if d := cmp.Diff(want, readConfig(t, path)); d != "" {
		t.Error(d)
	}
	if status, out, errs := f.virga("", "logout", "r.example"); status != 0 || out != "logged out of r.example\n" {
		t.Errorf("%d %q %q", status, out, errs)
	}
	if status, out, errs := f.virga("", "logout", "r.example"); status != 0 || out != "not logged in to r.example\n" {
		t.Errorf("%d %q %q", status, out, errs)
	}
}

func TestLoginRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		in     string
		args   []string
		status int
		want   string
	}{
		"wrong password":   {"wrong", []string{"-u", "me", "--password-stdin"}, 5, "does not accept"},
		"nobody to ask":    {"", nil, 2, "--password-stdin"},
		"no user":          {"right", []string{"--password-stdin"}, 2, "--username"},
		"no password":      {"\n", []string{"-u", "me", "--password-stdin"}, 2, "empty"},
		"two lines":        {"a\nb\n", []string{"-u", "me", "--password-stdin"}, 2, "one line"},
		"colon":            {"right", []string{"-u", "a:b", "--password-stdin"}, 2, "colon"},
		"two passwords":    {"right", []string{"-u", "me", "-p", "x", "--password-stdin"}, 2, "exclude"},
		"endless password": {strings.Repeat("x", maxPassword+1), []string{"-u", "me", "--password-stdin"}, 2, "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			f, path := inDir(t, "")
			status, _, errs := f.virga(test.in, append(append([]string{"login"}, test.args...), "r.example")...)
			if status != test.status || !strings.Contains(errs, test.want) {
				t.Errorf("status %d, %s", status, errs)
			}
			if _, err := os.Stat(path); err == nil {
				t.Error("a credential was kept")
			}
		})
	}
	f, _ := inDir(t, `{"auths":7}`)
	if status, _, errs := f.virga("right", "login", "-u", "me", "--password-stdin", "r.example"); status != 2 || !strings.Contains(errs, "is not valid") {
		t.Errorf("a broken configuration: %d %s", status, errs)
	}
}
