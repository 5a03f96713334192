package deploy

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/compose"
)

// watched is one watched path and how it was.
type watched struct {
	compose.Watch
	service string
	base    tree // what the instances have
	last    tree // of the last look
}

// Watch has the instances follow the files that the plan's services watch, until
// ctx ends. It looks at them at intervals, and acts when two looks in a row saw
// the same: an editor or a checkout is let end first.
func (d *Deployment) Watch(ctx context.Context, p *compose.Plan, every time.Duration) error {
	var all []*watched
	for _, w := range p.Workloads {
		for _, watch := range w.Watch {
			t, err := scan(watch)
			if err != nil {
				return fmt.Errorf("watch %s: %w", watch.Path, err)
			}
			one := &watched{Watch: watch, service: w.Service, base: t, last: t}
			if watch.Initial && watch.Target != "" {
				one.base = tree{}
			}
			all = append(all, one)
			d.Progress.Say("service", w.Service, "watches "+watch.Path)
		}
	}
	if len(all) == 0 {
		return api.Errorf(api.CodeInvalid, "no service watches anything").WithHint("say what in develop.watch of a service: action sync, restart or sync+restart")
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		for _, w := range all {
			if err := d.look(ctx, w); err != nil && ctx.Err() == nil {
				d.Progress.Say("service", w.service, "does not follow "+w.Path+": "+err.Error())
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// look acts on what has changed and settled.
func (d *Deployment) look(ctx context.Context, w *watched) error {
	now, err := scan(w.Watch)
	if err != nil {
		return err
	}
	settled := maps.Equal(now, w.last)
	w.last = now
	changed, gone := now.since(w.base)
	if !settled || len(changed)+len(gone) == 0 {
		return nil
	}
	list, err := d.instances(ctx)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(in api.Instance) bool {
		return serviceOf(in.Labels) != w.service || in.Status.Phase != api.PhaseRunning
	})
	var errs []error
	for _, in := range list {
		if w.Target != "" {
			errs = append(errs, d.sync(ctx, in.ID, w, changed, gone))
		}
		if w.Restart {
			errs = append(errs, d.Client.Restart(ctx, in.ID, api.StopRequest{}))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err // it is tried again at the next look
	}
	w.base = now
	var said []string
	if w.Target != "" {
		said = append(said, fmt.Sprintf("%d files synced, %d removed", len(changed), len(gone)))
	}
	if w.Restart {
		said = append(said, "restarted")
	}
	d.Progress.Say("service", w.service, strings.Join(said, ", ")+fmt.Sprintf(" in %d instances", len(list)))
	return nil
}

// sync brings changed files to an instance and takes away those that are gone.
func (d *Deployment) sync(ctx context.Context, id string, w *watched, changed, gone []string) error {
	if len(changed) > 0 {
		b, err := pack(w.Watch, changed)
		if err != nil {
			return err
		}
		if err := d.Client.WriteFiles(ctx, id, "/", bytes.NewReader(b)); err != nil {
			return err
		}
	}
	if len(gone) == 0 {
		return nil
	}
	remove := []string{"rm", "-rf", "--"}
	for _, name := range gone {
		remove = append(remove, path.Join(w.Target, name))
	}
	return d.Client.ExecDetached(ctx, id, api.ExecSpec{Command: remove})
}

// pack makes a tar of files at the places where the instance has them, with the
// directories between.
func pack(w compose.Watch, names []string) ([]byte, error) {
	var b bytes.Buffer
	t := tar.NewWriter(&b)
	made := map[string]bool{}
	for _, name := range names {
		from := filepath.Join(w.Path, filepath.FromSlash(name))
		content, err := os.ReadFile(from)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the next look sees that
		}
		if err != nil {
			return nil, err
		}
		i, err := os.Stat(from)
		if err != nil {
			return nil, err
		}
		to := strings.TrimPrefix(path.Join(w.Target, name), "/")
		var above []string
		for dir := path.Dir(to); name != "." && len(dir) >= len(strings.Trim(w.Target, "/")) && dir != "."; dir = path.Dir(dir) {
			above = append(above, dir)
		}
		for _, dir := range slices.Backward(above) {
			if made[dir] {
				continue
			}
			made[dir] = true
			if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755, ModTime: i.ModTime()}); err != nil {
				return nil, err
			}
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: to, Mode: int64(i.Mode().Perm()), Size: int64(len(content)), ModTime: i.ModTime()}
		if err := t.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := t.Write(content); err != nil {
			return nil, err
		}
	}
	err := t.Close()
	return b.Bytes(), err
}
