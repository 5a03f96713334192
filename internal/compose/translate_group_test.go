package compose

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/virga-cloud/virga/api"
)

// update_config and rollback_config become the policies of a roll and of a
// return; what of them is not honoured is named.
func TestUpdatePolicies(t *testing.T) {
	surge := func(n int) *int { return &n }
	for name, c := range map[string]struct {
		deploy   string
		want     api.UpdatePolicy
		warnings []string
	}{
		"nothing said": {"replicas: 4", api.UpdatePolicy{}, nil},
		"the specification's defaults": {"replicas: 4, update_config: {}",
			api.UpdatePolicy{MaxSurge: surge(0), MaxUnavailable: 1, Hold: 1}, nil},
		"start first, all at once": {"replicas: 4, update_config: {parallelism: 0, order: start-first, failure_action: pause}",
			api.UpdatePolicy{MaxSurge: surge(4), Hold: 1}, nil},
		"the longer of monitor and delay": {"replicas: 4, update_config: {delay: 20s, monitor: 5s, max_failure_ratio: 0.5, failure_action: rollback}",
			api.UpdatePolicy{MaxSurge: surge(0), MaxUnavailable: 1, MinReady: api.Duration(20 * time.Second), Rollback: 3}, nil},
		"continue": {"replicas: 4, update_config: {failure_action: continue}",
			api.UpdatePolicy{MaxSurge: surge(0), MaxUnavailable: 1},
			[]string{`services.a.deploy.update_config.failure_action "continue" is honoured in part: the roll is tried on, and replaces nothing while it fails`}},
		"a return of its own": {"replicas: 4, update_config: {order: start-first}, rollback_config: {parallelism: 2, delay: 1s, monitor: 3s, max_failure_ratio: 0.25, order: stop-first}",
			api.UpdatePolicy{MaxSurge: surge(1), Hold: 1,
				Return: &api.ReturnPolicy{MaxSurge: surge(0), MaxUnavailable: 2, MinReady: api.Duration(3 * time.Second), Hold: 2}}, nil},
		"only a return": {"rollback_config: {parallelism: 0, order: start-first, failure_action: continue}",
			api.UpdatePolicy{Return: &api.ReturnPolicy{MaxSurge: surge(1)}},
			[]string{`services.a.deploy.rollback_config.failure_action "continue" is honoured in part: the roll is tried on, and replaces nothing while it fails`}},
	} {
		t.Run(name, func(t *testing.T) {
			plan, err := text(t, "services: {a: {image: x, deploy: {"+c.deploy+"}}}")
			if err != nil {
				t.Fatal(err)
			}
			g := plan.Workloads[0].Group
			if g == nil {
				t.Fatal("it is no group")
			}
			if d := cmp.Diff(c.want, g.Spec.Update); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(c.warnings, plan.Warnings); d != "" {
				t.Error(d)
			}
		})
	}
}

// x-virga.spot makes spot instances, and a mix of both options a group; what it
// says is part of what decides whether a group differs.
func TestSpot(t *testing.T) {
	read := func(spot string) Workload {
		plan, err := text(t, "services: {a: {image: x, scale: 3, x-virga: {spot: "+spot+"}}}")
		if err != nil {
			t.Fatal(err)
		}
		return plan.Workloads[0]
	}
	on, off := read("true"), read("false")
	if on.Spec().Spot == nil || on.Group.Spec.Purchase != nil || off.Spec().Spot != nil {
		t.Errorf("true is %+v, false %+v", on.Spec().Spot, off.Spec().Spot)
	}
	mixed := read("{maxPrice: 0.5, signal: USR1, onDemandBase: 1, onDemandPercent: 50}")
	if s := mixed.Spec().Spot; s == nil || s.MaxPrice != 0.5 || s.Signal != "USR1" {
		t.Errorf("spot %+v", s)
	}
	if d := cmp.Diff(&api.Purchase{OnDemandBase: 1, OnDemandPercent: 50}, mixed.Group.Spec.Purchase); d != "" {
		t.Error(d)
	}
	seen := map[string]string{off.Hash(): "false"}
	for _, spot := range []string{"true", "{maxPrice: 0.5}", "{maxPrice: 0.5, onDemandBase: 1}", "{maxPrice: 0.5, onDemandBase: 2}", "{maxPrice: 0.5, onDemandPercent: 2}"} {
		h := read(spot).Hash()
		if other, ok := seen[h]; ok {
			t.Errorf("%s and %s have one hash", spot, other)
		}
		seen[h] = spot
	}
	plan, err := text(t, "services: {a: {image: x, x-virga: {spot: {onDemandBase: 1}}}}")
	if err != nil || plan.Workloads[0].Group == nil {
		t.Errorf("a mix of one: %+v, %v", plan, err)
	}
	if _, err := text(t, "services: {a: {image: x, x-virga: {spot: {bid: 1}}}}"); err == nil || !strings.Contains(err.Error(), "bid") {
		t.Errorf("an unknown word: %v", err)
	}
}

// Ranges of ports that would take the library long are refused before it
// spreads them, wherever they are written.
func TestPortRangesAreBounded(t *testing.T) {
	refused := func(err error) {
		t.Helper()
		e, ok := err.(*api.Error)
		if !ok || e.Code != api.CodeInvalid || e.Field != "services.a.ports" || !strings.Contains(e.Message, "65535 ports") || e.Hint == "" {
			t.Errorf("error %#v", err)
		}
	}
	for _, ports := range []string{"1-65535:1-65535", "127.0.0.1:1-65535:1-65535/udp", "'[::1]:1-65535:1-65535'", "1-65535", "'1-${LAST:-65535}'"} {
		_, err := text(t, "services: {a: {image: x, ports: ["+ports+"]}}")
		refused(err)
	}
	dir := t.TempDir()
	for name, body := range map[string]string{
		"compose.yaml": "include: [part.yaml]\n",
		"part.yaml":    "services: {a: {image: x, ports: ['1-65535:1-65535']}}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err := load(t, filepath.Join(dir, "compose.yaml"), nil)
	refused(err)
	var many strings.Builder
	for range 30 {
		many.WriteString("'1-100', ")
	}
	if _, err := text(t, "services: {a: {image: x, ports: ["+many.String()+"]}}"); api.CodeOf(err) != api.CodeInvalid {
		t.Errorf("many ranges: %v", err)
	}
	plan, err := text(t, "services: {a: {image: x, environment: {PORTS: 1-65535}, ports: ['8000-8099:8000-8099', 80, 'x']}}")
	if err == nil {
		t.Errorf("a port of x: %+v", plan)
	}
	plan, err = text(t, "services: {a: {image: x, environment: {PORTS: 1-65535}, ports: ['8000-8099:8000-8099']}}")
	if err != nil || len(plan.Workloads[0].Spec().Ports) != 100 {
		t.Errorf("a hundred: %v", err)
	}
}

// A service of a profile is there when the profile is, or when it is named.
func TestProfiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "compose.yaml")
	if err := os.WriteFile(file, []byte("services:\n  web: {image: x}\n  debug: {image: y, profiles: [dev]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		source Source
		want   []string
	}{
		"none":    {Source{}, []string{"web"}},
		"dev":     {Source{Profiles: []string{"dev"}}, []string{"debug", "web"}},
		"another": {Source{Profiles: []string{"prod"}}, []string{"web"}},
		"named":   {Source{Services: []string{"debug"}}, []string{"debug"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.source.Files, c.source.Name = []string{file}, "shop"
			p, err := Load(t.Context(), c.source)
			if err != nil {
				t.Fatal(err)
			}
			plan, err := Translate(p, Options{FilesDir: "/files", ReadFile: os.ReadFile})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, w := range plan.Workloads {
				got = append(got, w.Service)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff([]string{"debug", "web"}, plan.Known); d != "" {
				t.Errorf("known services, of which none is an orphan: %s", d)
			}
		})
	}
}
