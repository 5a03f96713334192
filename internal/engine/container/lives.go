package container

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/virga-cloud/virga/internal/engine"
	"github.com/virga-cloud/virga/internal/shim"
)

// Lives implements node.Engine.
func (e *Engine) Lives(ctx context.Context) ([]engine.Life, error) {
	all, err := e.supervisor().List(ctx)
	if err != nil {
		return nil, err
	}
	var lives []engine.Life
	for _, p := range all {
		instance, number, ok := parseID(p.ID)
		if !ok {
			continue
		}
		l := engine.Life{Instance: instance, Number: number, PID: p.PID, Started: p.Started}
		if p.Ended {
			x := e.exit(instance, number, p)
			l.Exit = &x
		} else {
			l.Paused, _ = e.cgroups.Group(instance).Frozen()
		}
		lives = append(lives, l)
	}
	return lives, nil
}

// parseID undoes processID; an exec is not a life.
func parseID(id string) (instance string, number int, ok bool) {
	instance, rest, _ := strings.Cut(id, "/")
	n, err := strconv.Atoi(rest)
	return instance, n, err == nil
}

// exit says how a life ended.
func (e *Engine) exit(instance string, number int, p shim.Process) engine.Exit {
	x := engine.Exit{Instance: instance, Life: number, Code: exitCode(p.Status), Time: p.Finished}
	kills, err := e.cgroups.Group(instance).OOMKills()
	if err != nil {
		e.Log.Warn("read OOM kills", "instance", instance, "error", err)
	}
	x.OOMKilled = kills > 0
	return x
}

// exitCode is the shell's form of a wait status.
func exitCode(status uint32) int {
	ws := syscall.WaitStatus(status)
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}

// Exits implements node.Engine.
func (e *Engine) Exits() <-chan engine.Exit { return e.exits }

// deliver turns the supervisor's exits into the engine's, until ctx ends.
func (e *Engine) deliver(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case p, ok := <-e.supervisor().Exits():
			if ok {
				e.processEnded(ctx, p)
				continue
			}
		}
		if ctx.Err() != nil || !e.reconnect(ctx) {
			return
		}
	}
}

func (e *Engine) processEnded(ctx context.Context, p shim.Process) {
	instance, number, isLife := parseID(p.ID)
	if isLife {
		e.ended(instance, number)
		e.report(ctx, e.exit(instance, number, p))
		return
	}
	if !e.held(p.ID) {
		if err := e.supervisor().Forget(ctx, p.ID); err != nil {
			e.Log.Warn("forget exec", "process", p.ID, "error", err)
		}
	}
}

func (e *Engine) report(ctx context.Context, x engine.Exit) {
	select {
	case e.exits <- x:
	case <-ctx.Done():
	}
}

func (e *Engine) ended(instance string, number int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running[instance].number == number {
		delete(e.running, instance)
		e.closer.put(e.roots[instance])
		delete(e.roots, instance)
	}
}

// Forget implements node.Engine.
func (e *Engine) Forget(ctx context.Context, instance string, number int) error {
	e.ended(instance, number)
	err := e.supervisor().Forget(ctx, processID(instance, number))
	if errors.Is(err, shim.ErrNotFound) {
		err = nil
	}
	return errors.Join(err, e.deleteGroup(ctx, instance))
}

// deleteGroup removes a group whose processes have ended or are about to.
func (e *Engine) deleteGroup(ctx context.Context, instance string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return e.cgroups.Group(instance).Delete(ctx)
}

// Remove implements node.Engine.
func (e *Engine) Remove(ctx context.Context, instance string) error {
	if _, err := e.of(instance); err == nil {
		return notStopped(instance)
	}
	return errors.Join(e.deleteGroup(ctx, instance), e.trash.put(filepath.Join(e.Instances, instance)))
}
