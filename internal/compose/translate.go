package compose

import (
	"fmt"
	"maps"
	"slices"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/virga-cloud/virga/api"
)

// Options are what a translation needs beside the project.
type Options struct {
	// FilesDir is where the contents of configs and secrets are kept, an
	// absolute path.
	FilesDir string
	// ReadFile returns the contents of a file of the project, such as a
	// seccomp profile.
	ReadFile func(path string) ([]byte, error)
}

// translation is a Translate under way.
type translation struct {
	Options
	p    *types.Project
	plan Plan
}

// Translate makes the plan of a project.
func Translate(p *types.Project, o Options) (*Plan, error) {
	t := &translation{Options: o, p: p, plan: Plan{Project: p.Name}}
	for _, f := range unhonoured(p) {
		t.warn(f, "is not honoured")
	}
	if err := t.networks(); err != nil {
		return nil, err
	}
	if err := t.volumes(); err != nil {
		return nil, err
	}
	if err := t.workloads(); err != nil {
		return nil, err
	}
	t.plan.Known = slices.Sorted(maps.Keys(p.Services))
	t.plan.Known = slices.Compact(slices.Sorted(slices.Values(append(t.plan.Known, p.DisabledServiceNames()...))))
	slices.Sort(t.plan.Warnings)
	t.plan.Warnings = slices.Compact(t.plan.Warnings)
	return &t.plan, nil
}

// warn says what becomes of a field that is not taken at its word.
func (t *translation) warn(field, format string, args ...any) {
	t.plan.Warnings = append(t.plan.Warnings, field+" "+fmt.Sprintf(format, args...))
}

func (t *translation) workloads() error {
	taken := names{}
	var all []Workload
	for _, s := range slices.Sorted(maps.Keys(t.p.Services)) {
		service := t.p.Services[s]
		w, err := t.workload(&service)
		if err != nil {
			return err
		}
		if err := taken.take(w.Name(), "service "+s); err != nil {
			return err
		}
		all = append(all, w)
	}
	var err error
	t.plan.Workloads, err = ordered(all)
	return err
}

// workload translates one service.
func (t *translation) workload(s *types.ServiceConfig) (Workload, error) {
	field := "services." + s.Name
	w := Workload{
		Service: s.Name, After: t.after(s), Build: s.Build != nil,
		Quiet: s.Attach != nil && !*s.Attach, Watch: t.watches(s),
	}
	v, err := readVirga(field, s.Extensions)
	if err != nil {
		return w, err
	}
	if s.Provider != nil || s.Image == "" && s.Build == nil {
		return w, api.Invalid(field+".image", "service %s has no image", s.Name)
	}
	w.Pull = t.pullPolicy(s)
	spec, err := t.spec(s, v)
	if err != nil {
		return w, err
	}
	labels := map[string]string{}
	maps.Copy(labels, s.Labels)
	labels[LabelProject], labels[LabelService] = t.p.Name, s.Name
	if d := dependencies(w.After); d != "" {
		labels[LabelDependsOn] = d
	}
	if grouped(s, v) {
		err = t.group(&w, s, v, spec, labels)
		return w, err
	}
	instance := name(t.p.Name, s.Name, "1")
	if s.ContainerName != "" {
		instance = name(s.ContainerName)
	}
	if labels, err = withHash(labels, spec); err != nil {
		return w, err
	}
	w.Instance = &api.CreateRequest{Name: instance, Labels: labels, Spec: *spec}
	return w, nil
}

// spec translates what instances of the service are like.
func (t *translation) spec(s *types.ServiceConfig, v virga) (*api.InstanceSpec, error) {
	spec := &api.InstanceSpec{
		Image: s.Image, Isolation: v.Isolation, Type: v.Type, CreditMode: v.Credits,
	}
	if spec.Image == "" { // as docker compose names what it builds
		spec.Image = t.p.Name + "-" + s.Name
	}
	if v.Spot != nil {
		copied := v.Spot.Spot
		spec.Spot = &copied
	}
	t.process(s, spec)
	t.health(s, spec)
	t.restart(s, spec)
	for _, step := range []func(*types.ServiceConfig, *api.InstanceSpec) error{
		t.resources, t.attachments, t.ports, t.mounts, t.files, t.security, t.namespaces, t.logging, t.placement,
	} {
		if err := step(s, spec); err != nil {
			return nil, err
		}
	}
	return spec, nil
}

func (t *translation) pullPolicy(s *types.ServiceConfig) string {
	switch s.PullPolicy {
	case "", types.PullPolicyMissing, types.PullPolicyIfNotPresent, types.PullPolicyBuild:
		return types.PullPolicyMissing
	case types.PullPolicyAlways, types.PullPolicyNever:
		return s.PullPolicy
	}
	t.warn("services."+s.Name+".pull_policy", "%q is taken for missing", s.PullPolicy)
	return types.PullPolicyMissing
}
