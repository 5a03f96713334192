package deploy

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/virga-cloud/virga/internal/compose"
)

// Down removes everything of the project: dependents before those they depend
// on, then networks, and volumes when asked. It needs no file: labels tell.
func (d *Deployment) Down(ctx context.Context, volumes bool) error {
	now, err := d.observe(ctx)
	if err != nil {
		return err
	}
	err = now.reverse(func(service string) error { return d.removeService(ctx, &now, service) })
	if err != nil {
		return err
	}
	for _, n := range now.networks {
		if err := gone(d.Client.RemoveNetwork(ctx, n.Name)); err != nil {
			return err
		}
		d.Progress.Say("network", n.Name, "removed")
	}
	if err := d.removeRules(ctx); err != nil {
		return err
	}
	if volumes {
		for _, v := range now.volumes {
			if err := gone(d.Client.RemoveVolume(ctx, v.Name)); err != nil {
				return err
			}
			d.Progress.Say("volume", v.Name, "removed")
		}
	}
	return os.RemoveAll(filepath.Join(d.FilesDir, d.Project))
}

// removeRules removes what let the project's instances reach each other.
func (d *Deployment) removeRules(ctx context.Context) error {
	list, err := d.Client.Rules(ctx)
	if err != nil {
		return err
	}
	for _, r := range list {
		if r.Spec == compose.Rule(d.Project) {
			if err := gone(d.Client.RemoveRule(ctx, r.ID)); err != nil {
				return err
			}
		}
	}
	return nil
}

// dependents are, for each service, the services that depend on it.
func (s *state) dependents() map[string][]string {
	out := map[string][]string{}
	add := func(labels map[string]string) {
		for on := range strings.SplitSeq(labels[compose.LabelDependsOn], ",") {
			if me := serviceOf(labels); on != "" && on != me {
				out[on] = append(out[on], me)
			}
		}
	}
	for _, g := range s.groups {
		add(g.Labels)
	}
	for _, in := range s.instances {
		if in.Group == "" {
			add(in.Labels)
		}
	}
	return out
}

// reverse calls do for every service, side by side, each after those that
// depend on it. Labels are written by people too: what depends on each other in
// a circle does not wait.
func (s *state) reverse(do func(service string) error) error {
	type step struct {
		done chan struct{}
		err  error
	}
	steps, before := map[string]*step{}, s.dependents()
	for _, name := range s.names() {
		steps[name] = &step{done: make(chan struct{})}
	}
	var wg sync.WaitGroup
	for name, st := range steps {
		wg.Go(func() {
			defer close(st.done)
			for _, other := range before[name] {
				if o := steps[other]; o != nil && !reaches(before, name, other) {
					<-o.done
				}
			}
			st.err = do(name)
		})
	}
	wg.Wait()
	var errs []error
	for name, st := range steps {
		if st.err != nil {
			errs = append(errs, inService(name, st.err))
		}
	}
	return errors.Join(errs...)
}

// reaches reports whether a is a dependent of b, over any number of steps.
func reaches(dependents map[string][]string, a, b string) bool {
	seen := map[string]bool{}
	var visit func(string) bool
	visit = func(s string) bool {
		if s == a {
			return true
		}
		if seen[s] {
			return false
		}
		seen[s] = true
		for _, n := range dependents[s] {
			if visit(n) {
				return true
			}
		}
		return false
	}
	for _, n := range dependents[b] {
		if visit(n) {
			return true
		}
	}
	return false
}
