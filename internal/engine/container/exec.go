package container

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
	"github.com/virga-cloud/virga/internal/linux/caps"
	"github.com/virga-cloud/virga/internal/linux/confine"
	"github.com/virga-cloud/virga/internal/linux/mount"
	"github.com/virga-cloud/virga/internal/linux/proc"
	"github.com/virga-cloud/virga/internal/shim"
)

// Exec implements node.Engine.
func (e *Engine) Exec(ctx context.Context, t engine.Task, spec api.ExecSpec) (engine.Session, error) {
	l, err := e.of(t.Instance)
	if err != nil {
		return nil, err
	}
	if len(spec.Command) == 0 {
		return nil, api.Invalid("command", "no command was given")
	}
	p, err := e.prepareExec(t, spec, l)
	defer p.close()
	if err != nil {
		return nil, err
	}
	program, files, err := confine.Compile(p.Process)
	if err != nil {
		return nil, err
	}
	id := t.Instance + "/exec/" + rand.Text()
	e.hold(id)
	s, err := e.supervisor().Attach(ctx, id) // before the start, so that no output is missed
	if err != nil {
		e.letGo(id)
		return nil, err
	}
	_, err = e.supervisor().Start(ctx, shim.Start{
		ID: id, Program: program, TTY: spec.TTY, Stdin: spec.Stdin, StdinOnce: true,
		KillOnClose: !spec.Detach, Width: spec.Width, Height: spec.Height,
	}, files)
	if err != nil {
		e.letGo(id)
		t.Args, t.WorkingDir = spec.Command, p.WorkingDir
		return nil, errors.Join(explain(t, err), s.Close())
	}
	return &session{stream: s, closed: func() error {
		e.letGo(id)
		err := e.supervisor().Forget(context.WithoutCancel(ctx), id)
		if errors.Is(err, shim.ErrRunning) {
			return nil // deliver forgets it when it has ended
		}
		return err
	}}, nil
}

// hold keeps an exec's process from being forgotten while a session reads it.
func (e *Engine) hold(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.execs[id] = true
}

func (e *Engine) letGo(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.execs, id)
}

func (e *Engine) held(id string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.execs[id]
}

// prepareExec describes a process beside those of a running instance, with
// the same rights unless spec.Privileged.
func (e *Engine) prepareExec(t engine.Task, spec api.ExecSpec, l life) (*prepared, error) {
	pid, err := proc.Open(l.pid)
	if err != nil {
		return &prepared{}, notRunning(t.Instance)
	}
	ids, own := proc.FirstID(l.pid)
	p := &prepared{Process: confine.Process{
		IDs: ids, Join: &confine.Join{PID: pid, UserNS: own},
		TTY: spec.TTY, Stdin: spec.Stdin, Argv: spec.Command, Env: overlayEnv(t.Env, spec.Env),
	}}
	p.keep(pid)
	if p.Entrances, err = e.cgroups.Group(t.Instance).Entrances(); err != nil {
		return p, fmt.Errorf("open cgroup of %s: %w", t.Instance, err)
	}
	p.keep(p.Entrances...)
	dir, err := proc.Root(l.pid)
	if err != nil {
		return p, notRunning(t.Instance)
	}
	p.keep(dir)
	root := mount.Root{Dir: dir}
	user, extra := t.User, t.Spec.Groups
	if spec.User != "" {
		user, extra = spec.User, nil
	}
	id, err := lookup(root, user, extra, own)
	if err != nil {
		return p, err
	}
	p.become(id)
	if err := e.rights(t, p); err != nil {
		return p, err
	}
	if err := e.rlimits(t, p); err != nil {
		return p, err
	}
	if spec.Privileged {
		p.Bounding, p.NoNewPrivs, p.Seccomp = caps.All, false, nil
		if !own {
			p.Bounding &= e.bounds
		}
	}
	p.WorkingDir = t.WorkingDir
	if spec.WorkingDir != "" {
		p.WorkingDir = spec.WorkingDir
	}
	if !strings.HasPrefix(p.WorkingDir, "/") {
		p.WorkingDir = path.Join("/", p.WorkingDir)
	}
	p.Paths = candidates(nil, p.Argv[0], p.WorkingDir, p.Env)
	return p, nil
}

// overlayEnv is env with the variables of more replaced or added.
func overlayEnv(env, more []string) []string {
	out := slices.Clone(env)
	for _, kv := range more {
		name, _, _ := strings.Cut(kv, "=")
		out = slices.DeleteFunc(out, func(have string) bool { return strings.HasPrefix(have, name+"=") })
		out = append(out, kv)
	}
	return out
}
