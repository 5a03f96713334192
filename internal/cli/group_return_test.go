package cli

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

func TestReturnPolicyOfFlag(t *testing.T) {
	four := 4
	was := &api.ReturnPolicy{MaxSurge: &four, Hold: 2}
	for _, c := range []struct {
		text string
		was  *api.ReturnPolicy
		want string
	}{
		{"max-surge=0,max-unavailable=2,min-ready=10s,hold=3", nil, `{"maxSurge":0,"maxUnavailable":2,"hold":3,"minReady":"10s"}`},
		{"hold=5", was, `{"maxSurge":4,"hold":5}`},
		{" max-unavailable = 1 , hold = 0", was, `{"maxSurge":4,"maxUnavailable":1}`},
		{"", was, "null"},
	} {
		var f returnFlag
		if err := f.Set(c.text); err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		got, err := json.Marshal(f.over(c.was))
		if err != nil || string(got) != c.want {
			t.Errorf("%q: %s, want %s (%v)", c.text, got, c.want, err)
		}
	}
	for _, bad := range []string{"surge=1", "max-surge", "max-surge=x", "hold=-1", "min-ready=3", "hold=1,", "hold=1;max-surge=2"} {
		var f returnFlag
		if err := f.Set(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestReturnPolicyIsPartOfTheUpdate(t *testing.T) {
	g := groupFlags{}
	if err := g.back.Set("min-ready=2s"); err != nil {
		t.Fatal(err)
	}
	p := api.UpdatePolicy{Hold: 3}
	if !g.policy(func(name string) bool { return name == "return" }, &p) {
		t.Fatal("--return changes nothing")
	}
	if p.Return == nil || time.Duration(p.Return.MinReady) != 2*time.Second || p.Hold != 3 {
		t.Errorf("%+v", p)
	}
}
