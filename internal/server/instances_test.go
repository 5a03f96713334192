package server

import (
	"testing"

	"github.com/virga-cloud/virga/api"
)

func hello(name string, command ...string) api.CreateRequest {
	return api.CreateRequest{Name: name, Spec: api.InstanceSpec{Image: api.HelloImage, Command: command}}
}

func TestLifeOfAnInstance(t *testing.T) {
	w, ctx := newWorld(t, nil), t.Context()
	in, err := w.client.Create(ctx, hello("web"), true)
	must(t, err)
	if in.Status.Phase != api.PhaseRunning || in.Name != "web" || in.Node != "n1" {
		t.Fatalf("created %+v", in)
	}
	must(t, w.client.Pause(ctx, "web"))
	must(t, w.client.Unpause(ctx, in.ID[:6]))
	must(t, w.client.Rename(ctx, "web", "shop"))
	must(t, w.client.Stop(ctx, "shop", api.StopRequest{Signal: "TERM"}))
	code, err := w.client.Wait(ctx, "shop", "stopped")
	must(t, err)
	if code != 7 {
		t.Errorf("exit code %d", code)
	}
	must(t, w.client.Start(ctx, "shop"))
	must(t, w.client.Restart(ctx, "shop", api.StopRequest{}))
	if err := w.client.Remove(ctx, "shop", false, false); api.CodeOf(err) != api.CodeConflict {
		t.Errorf("removing a running instance: %v", err)
	}
	must(t, w.client.Remove(ctx, "shop", true, true))
	if _, err := w.client.Instance(ctx, "shop"); api.CodeOf(err) != api.CodeNotFound {
		t.Errorf("inspect after removal: %v", err)
	}
	var actions []string
	for e, err := range w.client.Events(ctx, 0, false) {
		must(t, err)
		actions = append(actions, e.Action)
	}
	if len(actions) != 3 { // the node's own events are not the server's
		t.Errorf("events %v", actions)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
