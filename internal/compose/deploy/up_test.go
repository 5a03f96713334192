package deploy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/compose"
)

// shop has one of each: a group with a service in front, single instances that
// depend on each other, a network, a volume and a config.
const shop = `
services:
  web:
    image: nginx
    scale: 2
    ports: ["8080:80"]
    depends_on: [app]
    x-virga: {spot: {onDemandBase: 1}}
  app:
    image: app
    environment: {MODE: a}
    depends_on: {db: {condition: service_healthy}}
    configs: [site]
  db:
    image: pg
    healthcheck: {test: pg_isready}
    volumes: ["data:/data"]
volumes: {data: {}}
configs: {site: {content: hello}}
`

// plan translates a file for a Deployment.
func plan(t *testing.T, d *Deployment, yaml string) *compose.Plan {
	t.Helper()
	file := filepath.Join(t.TempDir(), "compose.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := compose.Load(t.Context(), compose.Source{Files: []string{file}, Name: d.Project})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := compose.Translate(p, compose.Options{FilesDir: filepath.Join(d.FilesDir, d.Project), ReadFile: os.ReadFile})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func up(t *testing.T, d *Deployment, yaml string, o UpOptions) {
	t.Helper()
	if err := d.Up(t.Context(), plan(t, d, yaml), o); err != nil {
		t.Fatal(err)
	}
}

func asked(t *testing.T, n *fakeNode, what string, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, n.asked()); d != "" {
		t.Errorf("%s: %s", what, d)
	}
}

// What an up makes, changes and removes: what is missing, what differs, and
// nothing else.
func TestUpChangesOnlyWhatDiffers(t *testing.T) {
	n, d := newFake(t)
	all := UpOptions{Wait: true}
	up(t, d, shop, all)
	asked(t, n, "the first up", "POST groups shop-web", "POST instances shop-app-1", "POST instances shop-db-1",
		"POST networks shop-default", "POST services shop-web", "POST volumes shop-data")
	up(t, d, shop, all)
	asked(t, n, "an up that changes nothing")

	change := func(what, from, to string, want ...string) {
		t.Helper()
		up(t, d, strings.Replace(shop, from, to, 1), all)
		asked(t, n, what, want...)
		up(t, d, strings.Replace(shop, from, to, 1), all)
		asked(t, n, what+", again")
		up(t, d, shop, all)
		n.asked()
	}
	change("another environment", "MODE: a", "MODE: b", "DELETE instances shop-app-1", "POST instances shop-app-1")
	change("another image", "image: nginx", "image: caddy", "UPDATE groups shop-web")
	change("another number", "scale: 2", "scale: 3", "SCALE groups shop-web")
	change("another mix of spot", "onDemandBase: 1", "onDemandBase: 2", "UPDATE groups shop-web")
	change("no spot", "    x-virga: {spot: {onDemandBase: 1}}\n", "", "UPDATE groups shop-web")
	change("a rollback_config", "    scale: 2\n", "    scale: 2\n    deploy: {rollback_config: {parallelism: 2}}\n", "UPDATE groups shop-web")
	change("another published port", "8080:80", "8081:80", "PUT services shop-web")
	change("another content", "content: hello", "content: bye", "DELETE instances shop-app-1", "POST instances shop-app-1")
	change("a group becomes an instance", "    scale: 2\n    ports: [\"8080:80\"]\n    depends_on: [app]\n    x-virga: {spot: {onDemandBase: 1}}\n", "    depends_on: [app]\n",
		"DELETE groups shop-web", "DELETE services shop-web", "POST instances shop-web-1")
	change("a network of its own", "volumes: {data: {}}", "volumes: {data: {}}\nnetworks: {default: {internal: true}}",
		"DELETE groups shop-web", "DELETE instances shop-app-1", "DELETE instances shop-db-1", "DELETE networks shop-default", "DELETE services shop-web",
		"POST groups shop-web", "POST instances shop-app-1", "POST instances shop-db-1", "POST networks shop-default", "POST rules virga.compose.project=shop",
		"POST services shop-web", "STOP instances shop-app-1", "STOP instances shop-db-1")
}

// With NoRecreate what differs stays, and what is missing is made.
func TestNoRecreate(t *testing.T) {
	n, d := newFake(t)
	up(t, d, "services: {a: {image: x}}", UpOptions{})
	n.asked()
	changed := "services: {a: {image: y}, b: {image: x}}"
	up(t, d, changed, UpOptions{NoRecreate: true})
	asked(t, n, "with it", "POST instances shop-b-1")
	up(t, d, changed, UpOptions{})
	asked(t, n, "without", "DELETE instances shop-a-1", "POST instances shop-a-1")
}

// A wait that takes too long says for whom, and leaves all as it is.
func TestWaitTimeout(t *testing.T) {
	n, d := newFake(t)
	up(t, d, shop, UpOptions{})
	n.asked()
	for _, o := range n.objects["instances"] {
		if in := o.(*api.Instance); in.Name == "shop-app-1" {
			in.Status.Phase = api.PhaseStarting
		}
	}
	err := d.Up(t.Context(), plan(t, d, shop), UpOptions{Wait: true, WaitTimeout: time.Nanosecond})
	if api.CodeOf(err) != api.CodeConflict || !strings.Contains(err.Error(), "is not healthy, after 1ns") {
		t.Errorf("%v", err)
	}
	for _, w := range n.asked() {
		if strings.HasPrefix(w, "DELETE") {
			t.Errorf("%s", w)
		}
	}
}

// What the file no longer has stays until it is asked for.
func TestOrphans(t *testing.T) {
	n, d := newFake(t)
	up(t, d, shop, UpOptions{})
	n.asked()
	without := "services: {db: {image: pg, healthcheck: {test: pg_isready}, volumes: ['data:/data']}}\nvolumes: {data: {}}\n"
	up(t, d, without, UpOptions{})
	asked(t, n, "without its leave")
	up(t, d, without, UpOptions{RemoveOrphans: true})
	asked(t, n, "with it", "DELETE groups shop-web", "DELETE instances shop-app-1", "DELETE services shop-web", "STOP instances shop-app-1")
}

// A down removes everything of the project and nothing of others; volumes when
// asked.
func TestDown(t *testing.T) {
	n, d := newFake(t)
	up(t, d, shop, UpOptions{})
	other := *d
	other.Project = "else"
	up(t, &other, "services: {a: {image: x}}", UpOptions{})
	n.asked()
	if err := d.Down(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	asked(t, n, "down", "DELETE groups shop-web", "DELETE instances shop-app-1", "DELETE instances shop-db-1", "DELETE networks shop-default",
		"DELETE services shop-web", "STOP instances shop-app-1", "STOP instances shop-db-1")
	if err := d.Down(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	asked(t, n, "down -v", "DELETE volumes shop-data")
	if d := cmp.Diff([]string{"else-a-1"}, n.names("instances")); d != "" {
		t.Error(d)
	}
	if _, err := os.Stat(filepath.Join(d.FilesDir, d.Project)); !os.IsNotExist(err) {
		t.Errorf("files are left: %v", err)
	}
}

// An up, and a down, that were killed at any write are taken up by the next.
func TestUpAndDownResume(t *testing.T) {
	changed := strings.NewReplacer("MODE: a", "MODE: b", "image: nginx", "image: caddy", "8080:80", "8081:80").Replace(shop)
	for at := 1; ; at++ {
		n, d := newFake(t)
		killed := 0
		for _, yaml := range []string{shop, changed} {
			p := plan(t, d, yaml)
			n.failAt = at
			if err := d.Up(t.Context(), p, UpOptions{}); err != nil {
				killed++
			}
			n.failAt = 0
			if err := d.Up(t.Context(), p, UpOptions{Wait: true}); err != nil {
				t.Fatalf("after a kill at write %d: %v", at, err)
			}
			n.asked()
			if err := d.Up(t.Context(), p, UpOptions{}); err != nil {
				t.Fatal(err)
			}
			asked(t, n, "when all is as it should be")
		}
		n.failAt = at
		if err := d.Down(t.Context(), true); err != nil {
			killed++
		}
		n.failAt = 0
		if err := d.Down(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		for kind := range n.objects {
			if left := n.names(kind); len(left) > 0 {
				t.Errorf("after a kill at write %d, %s %v are left", at, kind, left)
			}
		}
		if killed == 0 {
			return
		}
	}
}
