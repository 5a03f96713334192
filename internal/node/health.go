package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
)

// Defaults of a health check, and what is kept of its runs.
const (
	healthInterval      = 30 * time.Second
	healthTimeout       = 30 * time.Second
	healthStartInterval = 5 * time.Second
	healthRetries       = 3
	healthLog           = 5
	healthOutput        = 4 << 10 // bytes
)

// probed is the state of a health check after one more run of it. Failures
// within the start period do not count until the check has once succeeded.
func probed(h api.HealthStatus, c *api.HealthCheck, p api.HealthProbe, started time.Time) api.HealthStatus {
	h.Log = append(h.Log[max(0, len(h.Log)+1-healthLog):len(h.Log):len(h.Log)], p)
	if p.ExitCode == 0 {
		h.State, h.Failures = api.HealthHealthy, 0
		return h
	}
	if h.State == api.HealthStarting && p.Start.Before(started.Add(time.Duration(c.StartPeriod))) {
		return h
	}
	h.Failures++
	retries := c.Retries
	if retries == 0 {
		retries = healthRetries
	}
	if h.Failures >= retries {
		h.State = api.HealthUnhealthy
	}
	return h
}

// untilProbe is the wait before the next run.
func untilProbe(h api.HealthStatus, c *api.HealthCheck, started, now time.Time) time.Duration {
	if h.State == api.HealthStarting && now.Before(started.Add(time.Duration(c.StartPeriod))) {
		return durationOr(c.StartInterval, healthStartInterval)
	}
	return durationOr(c.Interval, healthInterval)
}

func durationOr(d api.Duration, def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return time.Duration(d)
}

// watchHealth runs the instance's health check, if it has one, until the life
// ends.
func (a *Agent) watchHealth(w *worker, in *api.Instance, img api.ImageConfig) {
	c := healthCheck(&in.Spec, img)
	if c == nil {
		return
	}
	ctx, cancel := context.WithCancel(a.events)
	w.mu.Lock()
	if w.health != nil {
		w.health()
	}
	w.health = cancel
	w.mu.Unlock()
	a.wg.Go(func() { a.checkHealth(ctx, in.ID, c) })
}

func (w *worker) stopHealth() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.health != nil {
		w.health()
		w.health = nil
	}
}

func (a *Agent) checkHealth(ctx context.Context, id string, c *api.HealthCheck) {
	in, err := a.Store.Instances.View(id)
	if err != nil {
		return
	}
	started, life := in.Status.Started, in.Status.Starts
	h := api.HealthStatus{State: api.HealthStarting}
	if in.Status.Health != nil {
		h = *in.Status.Health
	}
	a.storeHealth(id, life, h)
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(untilProbe(h, c, started, time.Now())):
		}
		p, err := a.probe(ctx, id, c)
		if err != nil {
			return // the instance is gone
		}
		if p == nil {
			continue // paused
		}
		before := h.State
		h = probed(h, c, *p, started)
		a.storeHealth(id, life, h)
		if h.State == before {
			continue
		}
		if in, err := a.Store.Instances.View(id); err == nil {
			a.record(in, "health", h.State, map[string]string{"health": h.State})
		}
	}
}

func (a *Agent) storeHealth(id string, life int, h api.HealthStatus) {
	// An error says that the instance is gone, which ends the check anyway.
	_ = a.observe(id, func(st *api.InstanceStatus) {
		if st.Starts == life && st.PID != 0 {
			copied := h
			st.Health = &copied
		}
	})
}

// probe runs the check once. A check that cannot run or takes too long has
// failed; nil says that it was not run because the instance is paused.
func (a *Agent) probe(ctx context.Context, id string, c *api.HealthCheck) (*api.HealthProbe, error) {
	in, err := a.Store.Instances.View(id)
	if err != nil {
		return nil, err
	}
	if in.Status.Phase == api.PhasePaused {
		return nil, nil
	}
	p := &api.HealthProbe{Start: time.Now(), ExitCode: -1}
	deadline, cancel := context.WithTimeout(ctx, durationOr(c.Timeout, healthTimeout))
	defer cancel()
	s, err := a.Exec(deadline, id, api.ExecSpec{Command: checkCommand(c.Test)})
	if err == nil {
		p.ExitCode, p.Output, err = collect(deadline, s)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	p.End = time.Now()
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no answer within %s", durationOr(c.Timeout, healthTimeout))
	}
	if err != nil {
		p.ExitCode = -1
		p.Output += err.Error()
	}
	return p, nil
}

func checkCommand(test []string) []string {
	if test[0] == "CMD-SHELL" {
		return []string{"/bin/sh", "-c", test[1]}
	}
	return test[1:]
}

// collect reads what a session writes, up to a limit, and its exit code, and
// closes it.
func collect(ctx context.Context, s engine.Session) (int, string, error) {
	defer s.Close()
	var out bytes.Buffer
	for {
		_, p, err := s.Read(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, out.String(), err
		}
		out.Write(p[:min(len(p), healthOutput-out.Len())])
	}
	code, err := s.Wait(ctx)
	return code, out.String(), err
}
