package server

import (
	"context"
	"strings"
	"testing"

	"github.com/virga-cloud/virga/api"
)

// busyNode uses much of everything.
type busyNode struct{ *fakeNode }

func (busyNode) Stats(context.Context, string) (api.Stats, error) {
	return api.Stats{Memory: api.MemStats{Usage: 200 << 20}, Pids: api.PidStats{Current: 30}}, nil
}

func TestNothingIsResizedBelowItsUse(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Node = busyNode{c.Node.(*fakeNode)} })
	ctx := t.Context()
	r := hello("web")
	r.Spec.Type = "shared.micro" // 512 MiB
	_, err := w.client.Create(ctx, r, true)
	must(t, err)

	err = w.client.Resize(ctx, "web", api.ResizeRequest{Type: "shared.nano"})
	wantCode(t, "memory below the use", err, api.CodeConflict)
	if err != nil && (!strings.Contains(err.Error(), "200 MiB") || !strings.Contains(err.Error(), "128 MiB")) {
		t.Errorf("the figures are missing: %v", err)
	}
	err = w.client.Update(ctx, "web", api.UpdateRequest{Resources: &api.Resources{PidsLimit: 20}})
	wantCode(t, "tasks below the use", err, api.CodeConflict)
	must(t, w.client.Update(ctx, "web", api.UpdateRequest{Resources: &api.Resources{PidsLimit: 40}}))
	must(t, w.client.Resize(ctx, "web", api.ResizeRequest{Type: "shared.small"}))
	wantCode(t, "an unknown type", w.client.Resize(ctx, "web", api.ResizeRequest{Type: "x"}), api.CodeNotFound)

	must(t, w.client.Stop(ctx, "web", api.StopRequest{}))
	must(t, w.client.Resize(ctx, "web", api.ResizeRequest{Type: "shared.nano"}))
	in, err := w.client.Instance(ctx, "web")
	must(t, err)
	if in.Type == nil || in.Type.Name != "shared.nano" || in.Spec.Type != "shared.nano" {
		t.Errorf("a stopped instance has the type %+v", in.Type)
	}
}

func TestTypesAndCapacity(t *testing.T) {
	w, ctx := newWorld(t, nil), t.Context()
	made, err := w.client.CreateType(ctx, api.InstanceType{Name: "shared.web", Family: api.FamilyShared, VCPUs: .5, Memory: 64 << 20})
	must(t, err)
	if made.Weight != 512 || made.PricePerHour <= 0 || made.Origin != api.OriginOperator {
		t.Errorf("what was left open: %+v", made)
	}
	r := hello("web")
	r.Spec.Type = "shared.web"
	_, err = w.client.Create(ctx, r, true)
	must(t, err)
	must(t, w.client.RemoveType(ctx, "shared.web"))
	_, err = w.client.Type(ctx, "shared.web")
	wantCode(t, "a removed type", err, api.CodeNotFound)
	types, err := w.client.Types(ctx)
	must(t, err)
	nodes, err := w.client.Capacity(ctx)
	must(t, err)
	if len(types) < 17 || len(nodes) != 1 || nodes[0].Allocated.Memory != 64<<20 || nodes[0].Free.Memory != 1<<30-64<<20 {
		t.Errorf("%d types, capacity %+v", len(types), nodes)
	}
}
