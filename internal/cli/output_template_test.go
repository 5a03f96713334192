package cli

import (
	"strings"
	"testing"

	"github.com/virga-cloud/virga/api"
)

func TestTemplates(t *testing.T) {
	f := newFake(t)
	f.instances = []api.Instance{{
		Meta:   api.Meta{ID: "abcdefghijklmnop", Name: "web", Labels: map[string]string{"com.example.app": "shop"}},
		Spec:   api.InstanceSpec{Image: "nginx", Command: []string{"a", "b"}},
		Status: api.InstanceStatus{Phase: api.PhaseRunning},
	}}
	for _, c := range []struct{ format, want string }{
		{`{{upper .Names}} {{lower "A"}} {{title .Image}} {{pad .Names 1 2}}|{{truncate .Names 2}}`, "WEB a Nginx  web  |we\n"},
		{`{{json .Spec.Command}} {{join .Spec.Command ","}} {{index (split .Image "g") 1}}`, `["a","b"] a,b inx` + "\n"},
		{`{{println .ID}}{{short "sha256:0123456789abcdef"}} {{bytes 2048}}`, "abcdefghijkl\n0123456789ab 2 KiB\n"},
		{`{{with .Labels}}{{.}}{{end}}{{range $i, $c := .Spec.Command}}{{if $i}}-{{end}}{{$c}}{{end}}`, "com.example.app=shopa-b\n"},
		{`table {{.Names}}\t{{.Image}}`, "NAME   IMAGE\nweb    nginx\n"},
		{`table {{.Names}}\t{{.Label "com.example.app"}}`, "NAME   APP\nweb    shop\n"},
		{`table {{.Names}}\t{{.Spec.Command}}`, "NAMES   COMMAND\nweb     [a b]\n"},
	} {
		if status, out, errs := f.virga("", "ps", "--format", c.format); status != 0 || out != c.want {
			t.Errorf("%s: %d\n%q, want\n%q\n%s", c.format, status, out, c.want, errs)
		}
	}
	for _, c := range []struct{ format, want string }{
		{`{{.Foo}}`, "virga: --format: <.Foo>: there is no field Foo\nhint: `{{json .}}` shows"},
		{`{{.Names`, "virga: --format: unclosed action\nhint: formats are Go templates"},
		{`{{frob .Names}}`, `virga: --format: function "frob" not defined`},
		{`{{join .Names ","}}`, "virga: --format: <.Names>: wrong type for value; expected []string; got string"},
	} {
		if status, _, errs := f.virga("", "ps", "--format", c.format); status != 2 || !strings.HasPrefix(errs, c.want) {
			t.Errorf("%s: %d %s, want %s", c.format, status, errs, c.want)
		}
	}
}
