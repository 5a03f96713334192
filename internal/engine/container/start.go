package container

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
	"github.com/virga-cloud/virga/internal/linux/cgroup"
	"github.com/virga-cloud/virga/internal/linux/cleanup"
	"github.com/virga-cloud/virga/internal/linux/confine"
	"github.com/virga-cloud/virga/internal/shim"
)

// Start implements node.Engine.
func (e *Engine) Start(ctx context.Context, t engine.Task) (engine.Started, error) {
	if s, ok, err := e.started(ctx, t); ok || err != nil {
		if ok {
			s.Warnings = settle(e.cgroups.Group(t.Instance), t)
		}
		return s, err
	}
	undo := cleanup.Make()
	defer undo.Clean()
	laps := engine.Time(ctx, e.Log)
	p, err := e.prepare(ctx, t, laps)
	defer p.close()
	if err != nil {
		return engine.Started{}, err
	}
	limits, err := e.limits(t)
	if err != nil {
		return engine.Started{}, err
	}
	if limits.PidsLimit > 0 {
		limits.PidsLimit++ // until settle
	}
	group, warnings, err := e.cgroups.Create(t.Instance, limits)
	if e, ok := errors.AsType[*api.Error](err); ok {
		return engine.Started{}, e
	}
	if err != nil {
		return engine.Started{}, fmt.Errorf("make cgroup of %s: %w", t.Instance, err)
	}
	undo.Add(func() { _ = group.Delete(context.WithoutCancel(ctx)) })
	if p.Entrances, err = group.Entrances(); err != nil {
		return engine.Started{}, fmt.Errorf("open cgroup of %s: %w", t.Instance, err)
	}
	p.keep(p.Entrances...)
	if err := e.cgroupView(p, group); err != nil {
		return engine.Started{}, err
	}
	laps.Lap("cgroup")
	program, files, err := confine.Compile(p.Process)
	if err != nil {
		return engine.Started{}, err
	}
	laps.Lap("compile")
	if t.Gate != nil {
		if err := t.Gate(); err != nil {
			return engine.Started{}, err
		}
	}
	laps.Lap("gate")
	// Before the start: its end may be delivered before its beginning is known.
	e.set(t.Instance, life{number: t.Life})
	undo.Add(func() { e.ended(t.Instance, t.Life) })
	pid, err := e.supervisor().Start(ctx, shim.Start{
		ID: processID(t.Instance, t.Life), Program: program,
		TTY: t.TTY, Stdin: t.Stdin, StdinOnce: t.StdinOnce,
		Log: t.Log, LogSize: cmp.Or(t.Spec.Log.Size, e.LogSize), LogFiles: cmp.Or(t.Spec.Log.Files, e.LogFiles),
	}, files)
	if err != nil {
		return engine.Started{}, explain(t, err)
	}
	laps.Lap("launch")
	p.warnings = append(p.warnings, settle(group, t)...)
	laps.Log(ctx, "life began", t.Instance)
	p.release(p.Start.Root)
	e.begun(t.Instance, life{t.Life, pid}, p.Start.Root)
	undo.Release()
	return engine.Started{PID: pid, Time: time.Now(), Warnings: append(p.warnings, warnings...)}, nil
}

// settle brings the limit of processes down to what was asked for. A start has
// one more: the process that makes the namespaces and forks the workload's
// first is in the group too, and counts until it is reaped. A daemon that is
// killed before this starts the same life again, and settles it then.
func settle(g *cgroup.Group, t engine.Task) (warnings []string) {
	limit := t.Spec.Resources.PidsLimit
	if limit <= 0 {
		return nil
	}
	err := g.LimitPids(limit)
	if err == nil || errors.Is(err, fs.ErrNotExist) { // it has ended
		return nil
	}
	return []string{fmt.Sprintf("the limit of processes stays %d: %v", limit+1, err)}
}

// started finds a life that runs already.
func (e *Engine) started(ctx context.Context, t engine.Task) (engine.Started, bool, error) {
	l, err := e.of(t.Instance)
	if err != nil || l.number != t.Life {
		return engine.Started{}, false, nil
	}
	all, err := e.supervisor().List(ctx)
	if err != nil {
		return engine.Started{}, false, err
	}
	for _, p := range all {
		if p.ID == processID(t.Instance, t.Life) {
			return engine.Started{PID: p.PID, Time: p.Started}, true, nil
		}
	}
	return engine.Started{}, false, nil
}

// processID names a life to the supervisor.
func processID(instance string, life int) string { return instance + "/" + strconv.Itoa(life) }

// prepared is a process with what it stands on.
type prepared struct {
	confine.Process
	files    []*os.File
	warnings []string
}

// keep has files closed with the preparation.
func (p *prepared) keep(files ...*os.File) { p.files = append(p.files, files...) }

// release takes a file back from keep.
func (p *prepared) release(f *os.File) {
	p.files = slices.DeleteFunc(p.files, func(k *os.File) bool { return k == f })
}

// close lets go of the files. What was not attached vanishes.
func (p *prepared) close() {
	for _, f := range p.files {
		f.Close()
	}
}

func (p *prepared) warn(format string, args ...any) {
	p.warnings = append(p.warnings, fmt.Sprintf(format, args...))
}
