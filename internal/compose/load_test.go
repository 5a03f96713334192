package compose

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/virga-cloud/virga/api"
)

// What flags of the command change in a file: which services there are, how
// many instances, how images are fetched.
func TestLoadByFlags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "compose.yaml")
	const yaml = `
name: shop
services:
  web: {image: nginx, depends_on: [app], deploy: {replicas: 2}}
  app: {image: app, depends_on: {db: {condition: service_healthy, required: false}}}
  db: {image: pg, profiles: [data], pull_policy: always}
`
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what   string
		source Source
		want   string // service, instances, pull policy; or the error
	}{
		{"a profile brings its services", Source{Profiles: []string{"data"}}, "app 1 missing, db 1 always, web 2 missing"},
		{"one with its dependencies", Source{Services: []string{"app"}, Profiles: []string{"data"}}, "app 1 missing, db 1 always"},
		{"one alone", Source{Services: []string{"web"}, Alone: true}, "web 2 missing"},
		{"one alone that a profile hides", Source{Services: []string{"db"}, Alone: true}, "db 1 always"},
		{"scaled", Source{Profiles: []string{"data"}, Scale: map[string]int{"web": 0, "app": 3}}, "app 3 missing, db 1 always, web 0 missing"},
		{"pulled", Source{Profiles: []string{"data"}, Pull: "never"}, "app 1 never, db 1 never, web 2 never"},
		{"scale of nobody", Source{Profiles: []string{"data"}, Scale: map[string]int{"wep": 1}}, `there is no service "wep" to scale`},
		{"alone and nobody", Source{Services: []string{"wep"}, Alone: true}, "no such service: wep"},
		{"another pull policy", Source{Profiles: []string{"data"}, Pull: "daily"}, `--pull "daily": want missing, always or never`},
	} {
		c.source.Files = []string{file}
		got, err := loaded(t, c.source)
		if err != nil {
			if e := api.CodeOf(err); e != api.CodeInvalid && e != api.CodeNotFound {
				t.Errorf("%s: %v is no error of the user's", c.what, err)
			}
			got = err.Error()
		}
		if got != c.want && (err == nil || !strings.Contains(got, c.want)) {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
}

func loaded(t *testing.T, s Source) (string, error) {
	p, err := Load(t.Context(), s)
	if err != nil {
		return "", err
	}
	plan, err := Translate(p, Options{FilesDir: "/", ReadFile: os.ReadFile})
	if err != nil {
		return "", err
	}
	by := map[string]string{}
	for _, w := range plan.Workloads {
		n := 1
		if w.Group != nil {
			n = w.Group.Spec.Desired
		}
		by[w.Service] = fmt.Sprintf("%s %d %s", w.Service, n, w.Pull)
	}
	var lines []string
	for _, s := range slices.Sorted(maps.Keys(by)) {
		lines = append(lines, by[s])
	}
	return strings.Join(lines, ", "), nil
}
