package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

func TestListFilters(t *testing.T) {
	f := newFake(t)
	shop := map[string]string{"app": "shop"}
	f.volumes = []api.Volume{
		{Meta: api.Meta{ID: "v1", Name: "data", Labels: shop}, UsedBy: []string{"db"}},
		{Meta: api.Meta{ID: "v2", Name: "data-old"}},
		{Meta: api.Meta{ID: "v3", Name: "x"}, Anonymous: true},
	}
	f.networks = []api.Network{
		{Meta: api.Meta{ID: "n1", Name: "back", Labels: shop}, Spec: api.NetworkSpec{Internal: true}},
		{Meta: api.Meta{ID: "n2", Name: "front"}, Instances: []string{"web"}},
	}
	now := time.Now()
	f.images = []api.Image{
		{ID: "i1", Names: []string{"app:1", "localhost:5000/team/app:1"}, Created: now, Labels: shop},
		{ID: "i2", Names: []string{"db:7"}, Created: now.Add(-time.Hour)},
		{ID: "i3", Created: now.Add(-2 * time.Hour)},
	}
	for command, want := range map[string]string{
		"volume ls -q":                                               "data data-old x",
		"volume ls -q -f name=data":                                  "data data-old",
		"volume ls -q -f name=^data$ -f name=x":                      "data x",
		"volume ls -q -f dangling=true":                              "data-old x",
		"volume ls -q -f dangling=false":                             "data",
		"volume ls -q -f label=app=shop -f label=tier":               "",
		"volume ls -q -f anonymous=true":                             "x",
		"volume ls -q -f driver=nfs":                                 "",
		"network ls -q -f label=app":                                 "back",
		"network ls -q -f internal=false":                            "front",
		"network ls -q -f id=n2":                                     "front",
		"network ls -q -f dangling=true -f driver=bridge":            "back",
		"images --format {{.ID}} -a -f dangling=true":                "i3",
		"images --format {{.Tag}} -f reference=team/app":             "1 1",
		"images --format {{.Tag}} -f reference=*:7":                  "7",
		"images --format {{.Repository}} -f reference=d*":            "db",
		"images --format {{.Repository}} -f before=app:1":            "db <none>",
		"images --format {{.ID}} -f since=db:7 -f label=app":         "i1 i1",
		"images --format {{.Repository}} -f label=app=else":          "",
		"images --digests --format {{.Tag}}{{.Digest}} db:7":         "7",
		"image ls --no-trunc -q --filter reference=localhost:5*/*/*": "i1 i1",
	} {
		status, out, errs := f.virga("", strings.Fields(command)...)
		if got := strings.Join(strings.Fields(out), " "); status != 0 || got != want {
			t.Errorf("%s: %q, want %q %s", command, got, want, errs)
		}
	}
	for command, want := range map[string]string{
		"volume ls -f colour=red":   "use anonymous, dangling, driver, id, label, name",
		"volume ls -f dangling=yes": "true or false",
		"volume ls -f dangling":     "KEY=VALUE",
		"images -f reference=[":     "syntax error in pattern",
		"images -f since=nobody":    "no image",
	} {
		if status, _, errs := f.virga("", strings.Fields(command)...); status == 0 || !strings.Contains(errs, want) {
			t.Errorf("%s: %d %s", command, status, errs)
		}
	}
}

func TestEventFilters(t *testing.T) {
	f := newFake(t)
	f.events = []api.Event{
		{Kind: "instance", Action: "start", ID: "abc", Name: "web", Attrs: map[string]string{"image": "nginx"}},
		{Kind: "instance", Action: "die", ID: "abc", Name: "web", Attrs: map[string]string{"exitCode": "1"}},
		{Kind: "volume", Action: "create", Name: "data"},
	}
	for command, want := range map[string]string{
		"events":                        "start die create",
		"events --filter type=instance": "start die",
		"events --filter container=web --filter event=die": "die",
		"events --filter event=die --filter event=create":  "die create",
		"events --filter exitCode=1":                       "die",
		"events --filter image=nginx":                      "start",
		"events -f event=die":                              "die", // as Docker has it
		"events event=create type=volume":                  "create",
		"system events --filter volume=data":               "create",
	} {
		_, out, errs := f.virga("", append(strings.Fields(command), "--format", "{{.Action}}")...)
		if got := strings.Join(strings.Fields(out), " "); got != want {
			t.Errorf("%s: %q, want %q %s", command, got, want, errs)
		}
	}
	for command, want := range map[string]string{"events web": "KEY=VALUE", "events --filter label=app": "instance=NAME", "events --format {{.Frob}}": "no field Frob"} {
		if status, _, errs := f.virga("", strings.Fields(command)...); status != 2 || !strings.Contains(errs, want) {
			t.Errorf("%s: %d %s", command, status, errs)
		}
	}
}
