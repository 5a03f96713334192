package control

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/store"
	"pgregory.net/rapid"
)

const gib = 1 << 30

// machine is a node with so many vCPUs, of which half a one is reserved.
func machine(vcpus float64, memory int64, overcommit float64) Supply {
	return Supply{Node: "n1", Overcommit: overcommit, Capacity: api.Capacity{
		Physical: api.Amount{VCPUs: vcpus, Memory: memory}, Reserved: api.Amount{VCPUs: .5},
		Allocatable: api.Amount{VCPUs: vcpus - .5, Memory: memory},
	}}
}

type anyImage struct{}

func (anyImage) Inspect(context.Context, string) (api.Image, error) { return api.Image{}, nil }

func admission(t *testing.T, s Supply) *Admission {
	st := store.Memory()
	t.Cleanup(func() { _ = st.Close() })
	return &Admission{Store: st, Types: Types{Store: st}, Node: "n1", Supply: s, Images: anyImage{}, Record: func(api.Event) {}}
}

// ask is a creation by type ("shared.small") or free-form limits ("0.5/256m").
func ask(t *testing.T, what string) Creation {
	t.Helper()
	spec := api.InstanceSpec{Image: "i"}
	if cpus, memory, free := strings.Cut(what, "/"); free {
		if _, err := fmt.Sscan(cpus, &spec.Resources.CPUs); err != nil {
			t.Fatal(err)
		}
		var err error
		if spec.Resources.Memory, err = api.ParseBytes(memory); err != nil {
			t.Fatal(err)
		}
	} else {
		spec.Type = what
	}
	return Creation{CreateRequest: api.CreateRequest{Spec: spec}, Project: "default", Start: true}
}

func TestWhatFitsOnAMachine(t *testing.T) {
	for _, tt := range []struct {
		name  string
		node  Supply
		have  []string
		ask   string
		short string // what the error begins with, "" for none
		hint  string
	}{
		{"an empty node", machine(2, 8*gib, 10), nil, "shared.large", "", ""},
		{"no limits at all", machine(2, 8*gib, 1), []string{"shared.medium", "0/6g"}, "0/0", "", ""},
		{"more vCPUs than the machine", machine(2, 64*gib, 100), nil, "burst.xlarge", "vCPUs: 4 asked, the machine has 2", "burst.large"},
		{"a quota above the machine", machine(2, 8*gib, 100), nil, "2.5/0", "vCPUs: 2.5 asked, the machine has 2", ""},
		{"memory", machine(2, 8*gib, 10), []string{"shared.large", "shared.medium"}, "shared.large", "memory: 4 GiB asked, 2 GiB free of 8 GiB", "shared.medium"},
		{"free-form memory counts", machine(2, 8*gib, 10), []string{"0/7g"}, "shared.medium", "memory: 2 GiB asked, 1 GiB free", "shared.small"},
		{"shared vCPUs by the ratio", machine(2, 64*gib, 2), []string{"shared.large"}, "shared.large", "shared vCPUs: 2 asked, 1 free at an over-commit of 2", "shared.medium"},
		{"no over-commit at all", machine(2, 64*gib, 1), []string{"shared.medium"}, "1/0", "shared vCPUs: 1 asked, 0.5 free", ""},
		{"baselines are never over-committed", machine(2, 64*gib, 100), []string{"burst.large", "burst.large"}, "burst.large", "baseline vCPUs: 0.6 asked, 0.3 free", "burst.micro"},
		{"the last core", machine(2, 64*gib, 10), []string{"dedicated.small"}, "dedicated.small", "dedicated vCPUs: 1 asked, 0 free of 1.5", "burst.medium"},
		{"a core that the pool has sold", machine(2, 64*gib, 1), []string{"shared.medium"}, "dedicated.small", "dedicated vCPUs: 1 asked, 0 free", "shared.small"},
		{"a dedicated core leaves the pool", machine(2, 64*gib, 2), []string{"dedicated.small"}, "shared.large", "shared vCPUs: 2 asked, 1 free", "shared.medium"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := admission(t, tt.node)
			for _, h := range tt.have {
				if _, err := a.Create(t.Context(), ask(t, h)); err != nil {
					t.Fatal(err)
				}
			}
			_, err := a.Create(t.Context(), ask(t, tt.ask))
			if tt.short == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			e, _ := errors.AsType[*api.Error](err)
			if e == nil || e.Code != api.CodeInsufficientCapacity || !strings.HasPrefix(e.Message, tt.short) || e.Field == "" {
				t.Fatalf("error %v, want %q", err, tt.short)
			}
			if !strings.Contains(e.Hint, tt.hint) || e.Hint == "" {
				t.Errorf("hint %q, want one with %q", e.Hint, tt.hint)
			}
		})
	}
}

func TestThreadsOfACoreGoTogether(t *testing.T) {
	s := machine(8, 64*gib, 10)
	s.ThreadsPerCore = 2
	a := admission(t, s)
	for i := range 3 {
		if _, err := a.Create(t.Context(), ask(t, "dedicated.small")); err != nil {
			t.Fatalf("core %d: %v", i, err)
		}
	}
	if _, err := a.Create(t.Context(), ask(t, "dedicated.small")); api.CodeOf(err) != api.CodeInsufficientCapacity {
		t.Errorf("the system's core was given away: %v", err)
	}
	if c := a.Capacity(api.Amount{}); c.Allocated.VCPUs != 6 || c.Free.Dedicated != 0 {
		t.Errorf("%+v", c)
	}
}

// A hundred at once: as many as fit get in, whether they are made or started.
func TestConcurrentRequestsNeverOverAllocate(t *testing.T) {
	for _, what := range []string{"shared.small", "dedicated.small", "burst.nano", "0.5/512m"} {
		for _, made := range []bool{false, true} {
			a := admission(t, machine(4, 5*gib, 2))
			ids := make([]string, 100)
			if made {
				for i := range ids {
					c := ask(t, what)
					c.Start = false
					in, err := a.Create(t.Context(), c)
					if err != nil {
						t.Fatal(err)
					}
					ids[i] = in.ID
				}
			}
			var wg sync.WaitGroup
			for i := range ids {
				c := ask(t, what)
				wg.Go(func() {
					var err error
					if made {
						_, _, err = a.Start(t.Context(), ids[i])
					} else {
						_, err = a.Create(t.Context(), c)
					}
					if code := api.CodeOf(err); err != nil && code != api.CodeInsufficientCapacity {
						t.Errorf("%s: %v", what, err)
					}
				})
			}
			wg.Wait()
			want := map[string]int{"shared.small": 5, "dedicated.small": 2, "burst.nano": 3, "0.5/512m": 10}[what]
			held := 0
			for _, in := range a.Store.Instances.Views() {
				if Holds(in) {
					held++
				}
			}
			if held != want {
				t.Errorf("%s, started apart %v: %d got in, there is room for %d", what, made, held, want)
			}
		}
	}
}

func TestStoppedInstancesHoldNothing(t *testing.T) {
	a := admission(t, machine(2, 2*gib, 10))
	in, err := a.Create(t.Context(), ask(t, "shared.medium"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Create(t.Context(), ask(t, "shared.nano")); api.CodeOf(err) != api.CodeInsufficientCapacity {
		t.Fatalf("a full node took another: %v", err)
	}
	set := func(change func(*api.Instance)) {
		t.Helper()
		if _, err := a.Store.Instances.Update(t.Context(), in.ID, func(i *api.Instance) error { change(i); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	set(func(i *api.Instance) { i.Status.Phase, i.Status.Life = api.PhaseRunning, 1 })
	set(func(i *api.Instance) { i.Desired.State = api.DesiredStopped })
	if c := a.Capacity(api.Amount{}); c.Free.Memory != 0 {
		t.Errorf("one that still runs counts: %+v", c)
	}
	set(func(i *api.Instance) { i.Status.Phase = api.PhaseStopped })
	if c := a.Capacity(api.Amount{}); c.Free.Memory != 2*gib || c.Allocated != (api.Amount{}) {
		t.Errorf("a stopped one counts: %+v", c)
	}
	other, err := a.Create(t.Context(), ask(t, "shared.small"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Start(t.Context(), in.ID); api.CodeOf(err) != api.CodeInsufficientCapacity {
		t.Errorf("started beside %s: %v", other.Name, err)
	}
}

func TestResize(t *testing.T) {
	a := admission(t, machine(2, 4*gib, 10))
	in, err := a.Create(t.Context(), ask(t, "0.5/256m"))
	if err != nil {
		t.Fatal(err)
	}
	if in.TypeName() != "custom-0.5-256m" {
		t.Errorf("named %s", in.TypeName())
	}
	apply := func(r api.ResizeRequest) (api.Instance, error) { return a.Apply(t.Context(), in.ID, a.Resize(r)) }
	now, err := apply(api.ResizeRequest{Type: "burst.small", CreditMode: api.CreditUnlimited})
	if err != nil {
		t.Fatal(err)
	}
	l := now.Limits()
	if now.Type.Name != "burst.small" || now.Type.CreditMode != api.CreditUnlimited || l.Memory != 2*gib || l.CPUs != 2 || now.Spec.Resources.Memory != 0 {
		t.Errorf("resized to %+v, limits %+v", now.Type, l)
	}
	if _, err := apply(api.ResizeRequest{Type: "burst.large"}); api.CodeOf(err) != api.CodeInsufficientCapacity {
		t.Errorf("8 GiB of 4: %v", err)
	}
	if _, err := apply(api.ResizeRequest{Type: "shared.none"}); api.CodeOf(err) != api.CodeNotFound {
		t.Errorf("no such type: %v", err)
	}
	if kept, _ := a.Store.Instances.View(in.ID); kept.Type.Name != "burst.small" {
		t.Errorf("a refused resize changed the type to %s", kept.Type.Name)
	}
	_, err = a.Apply(t.Context(), in.ID, a.Update(api.UpdateRequest{Resources: &api.Resources{Memory: gib}}))
	if api.CodeOf(err) != api.CodeInvalid {
		t.Errorf("memory that contradicts the type: %v", err)
	}
	_, err = a.Apply(t.Context(), in.ID, a.Update(api.UpdateRequest{Resources: &api.Resources{PidsLimit: 50}}))
	if now, _ := a.Store.Instances.View(in.ID); err != nil || now.Limits().PidsLimit != 50 || now.Limits().Memory != 2*gib {
		t.Errorf("a limit that no type fixes: %v", err)
	}
}

// A catalogue that changes changes no instance.
func TestInstancesKeepTheirType(t *testing.T) {
	a := admission(t, machine(2, 4*gib, 10))
	x := api.InstanceType{Name: "shared.web", Family: api.FamilyShared, VCPUs: .5, Memory: gib, Quota: true}
	if _, err := a.Types.Create(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Types.Create(t.Context(), x); api.CodeOf(err) != api.CodeConflict {
		t.Errorf("made twice: %v", err)
	}
	in, err := a.Create(t.Context(), ask(t, "shared.web"))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Types.Remove(t.Context(), "shared.web"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Types.Find("shared.web"); api.CodeOf(err) != api.CodeNotFound {
		t.Errorf("removed: %v", err)
	}
	in, err = a.Store.Instances.View(in.ID)
	if l := in.Limits(); err != nil || l.CPUs != .5 || l.CPUShares != 512 || l.Memory != gib {
		t.Errorf("limits %+v %v", l, err)
	}
}

func TestTheFileReplacesBuiltInTypes(t *testing.T) {
	types := Types{Store: store.Memory(), File: []api.InstanceType{{Name: "shared.nano", Family: api.FamilyShared, VCPUs: .2, Memory: gib, Weight: 2}}}
	defer types.Store.Close()
	if x, err := types.Find("shared.nano"); err != nil || x.VCPUs != .2 {
		t.Errorf("%+v %v", x, err)
	}
	n := 0
	for _, x := range types.List() {
		if x.Name == "shared.nano" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("listed %d times", n)
	}
}

// However instances come, go and change: nothing is given out twice, and
// what is free is what the next one gets.
func TestLedgerInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := machine(float64(rapid.IntRange(1, 16).Draw(t, "vcpus")), int64(rapid.IntRange(1, 64).Draw(t, "gib"))*gib, rapid.Float64Range(1, 20).Draw(t, "overcommit"))
		s.ThreadsPerCore = rapid.IntRange(1, 2).Draw(t, "threads")
		l := newLedger(s)
		for range rapid.IntRange(1, 40).Draw(t, "requests") {
			c := claim{class: rapid.SampledFrom([]api.Family{api.FamilyBurst, api.FamilyShared, api.FamilyDedicated, api.FamilyCustom}).Draw(t, "class"),
				memory: int64(rapid.IntRange(0, 16).Draw(t, "memory")) * gib / 2}
			c.vcpus = float64(rapid.IntRange(1, 4).Draw(t, "n"))
			switch c.class {
			case api.FamilyBurst:
				c.baseline = c.vcpus * rapid.Float64Range(.05, 1).Draw(t, "baseline")
			case api.FamilyDedicated:
				c = s.claimOfType(api.InstanceType{Family: c.class, VCPUs: c.vcpus, Memory: c.memory})
			}
			if l.lacks(c) == nil {
				l.add(c)
			}
		}
		all := s.Capacity.Allocatable
		sold, baseline := l.sold()
		pool := all.VCPUs - l.classes[api.FamilyDedicated].VCPUs
		if l.memory() > all.Memory || pool < 0 || sold > pool*s.Overcommit+1e-6 || baseline > pool+1e-6 {
			t.Fatalf("over-allocated: %+v of %+v", l.classes, all)
		}
		if f := l.free(); f.Dedicated < 0 || f.Shared < 0 || f.Baseline < 0 || f.Memory < 0 {
			t.Fatalf("less than nothing is free: %+v", f)
		}
	})
}
