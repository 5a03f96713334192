package main

import (
	"context"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/virga-cloud/virga/api"
)

// scalingRuns is how often each figure is taken, and scalingPatience how long
// one may take.
const (
	scalingRuns     = 12
	loadRuns        = 8
	scalingPatience = time.Minute
)

// scalingParts measure how fast a group gives back what is lost, and what a
// load needs: from the kill of a workload to the first connection that its
// replacement accepts, from a load step to the decision and to the second
// instance in service, from a request to nobody to its answer, with and without
// a warm pool; how long a Compose file of twenty services takes; and how soon
// spot instances are told to leave, and metadata are read.
var scalingParts = []part{
	{"noise", (*env).scalingNoise},
	{"victims", (*env).scalingVictims},
	{"metadata", (*env).scalingMetadata},
	{"notice", (*env).scalingReclaim},
	{"up", (*env).scalingUp},
	{"zero", (*env).scalingZero},
	{"warm", (*env).scalingWarm},
	{"load", (*env).scalingLoad},
	{"crash", (*env).scalingCrash},
}

// p95Of records the 95th percentile of samples as a figure of its own.
func (e *env) p95Of(name, about string, s samples, g goal) error {
	return e.record(figure{Name: name, Value: s.p95(), Unit: "ms", N: len(s), About: about}, g)
}

func (e *env) scalingCrash(ctx context.Context) error {
	crash, err := e.crashes(ctx)
	if err != nil {
		return err
	}
	return e.compare("scaling.crash", "ms", crash, atMost(300), nil)
}

func (e *env) scalingLoad(ctx context.Context) error {
	var detect, serve samples
	for range loadRuns {
		d, s, err := e.loadStep(ctx)
		if err != nil {
			return err
		}
		detect, serve = append(detect, ms(d)), append(serve, ms(s))
	}
	if err := e.compare("scaling.detect", "ms", detect, atMost(3000), nil); err != nil {
		return err
	}
	return e.p95Of("scaling.load", "p95, to another instance in service", serve, atMost(5000))
}

// group makes a group of the bench image and returns how to remove it.
func (e *env) group(ctx context.Context, name string, spec api.GroupSpec) (remove func() error, err error) {
	spec.Template.Image = "bench"
	stop := api.Duration(0)
	spec.Template.StopTimeout = &stop
	if _, err := e.client.CreateGroup(ctx, api.GroupRequest{Name: name, Spec: spec}); err != nil {
		return nil, err
	}
	return func() error { return e.client.RemoveGroup(context.WithoutCancel(ctx), name, true) }, nil
}

func (e *env) crashes(ctx context.Context) (s samples, err error) {
	server := api.InstanceSpec{Command: []string{"/bin/busybox", "httpd", "-f", "-p", "80"}}
	remove, err := e.group(ctx, "crash", api.GroupSpec{Desired: 1, Template: server})
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := remove(); err == nil {
			err = e
		}
	}()
	old, err := e.serving(ctx, "crash", "")
	if err != nil {
		return nil, err
	}
	for range scalingRuns {
		// Long enough to be forgiven the failures before.
		select {
		case <-time.After(11 * time.Second):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		began := time.Now()
		if err := syscall.Kill(old.Status.PID, syscall.SIGKILL); err != nil {
			return nil, fmt.Errorf("kill %d: %w", old.Status.PID, err)
		}
		if old, err = e.serving(ctx, "crash", old.ID); err != nil {
			return nil, err
		}
		s = append(s, ms(time.Since(began)))
	}
	return s, nil
}

// serving waits for an instance of a group, other than one, that accepts
// connections.
func (e *env) serving(ctx context.Context, group, other string) (api.Instance, error) {
	for deadline := time.Now().Add(scalingPatience); time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(2 * time.Millisecond) {
		all, err := e.client.Instances(ctx, api.InstanceFilter{Phases: []api.Phase{api.PhaseRunning}})
		if err != nil {
			return api.Instance{}, err
		}
		for _, in := range all {
			if in.Group != group || in.ID == other || len(in.Status.Addresses) == 0 {
				continue
			}
			c, err := net.DialTimeout("tcp", net.JoinHostPort(in.Status.Addresses[0].Address.String(), "80"), time.Second)
			if err == nil {
				return in, c.Close()
			}
		}
	}
	return api.Instance{}, fmt.Errorf("nobody of group %s serves", group)
}

// loadStep lets an idle instance become busy, and waits for a second one: until
// it was decided, and until it is in service.
func (e *env) loadStep(ctx context.Context) (detect, serve time.Duration, err error) {
	idle := api.InstanceSpec{Command: []string{"/bin/busybox", "sleep", "1000"}, Resources: api.Resources{CPUs: 0.2}}
	remove, err := e.group(ctx, "load", api.GroupSpec{
		Desired: 1, Min: 1, Max: 2, Template: idle,
		Scaling: &api.Scaling{Targets: []api.TargetPolicy{{Metric: api.MetricCPU, Target: 50}}, WarmUp: api.Duration(time.Second)},
	})
	if err != nil {
		return 0, 0, err
	}
	defer func() {
		if e := remove(); err == nil {
			err = e
		}
	}()
	if _, err := e.client.WaitGroup(ctx, "load", "steady"); err != nil {
		return 0, 0, err
	}
	select {
	case <-time.After(5 * time.Second): // until it is measured
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	}
	all, err := e.client.Instances(ctx, api.InstanceFilter{Phases: []api.Phase{api.PhaseRunning}})
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	for _, in := range all {
		if in.Group == "load" {
			if err := e.client.ExecDetached(ctx, in.ID, api.ExecSpec{Command: []string{"/bin/busybox", "sh", "-c", "while :; do :; done"}}); err != nil {
				return 0, 0, err
			}
		}
	}
	for time.Since(began) < scalingPatience && ctx.Err() == nil {
		g, err := e.client.Group(ctx, "load")
		if err != nil {
			return 0, 0, err
		}
		if detect == 0 && g.Spec.Desired == 2 {
			detect = time.Since(began)
		}
		if g.Status.Ready == 2 {
			return detect, time.Since(began), nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	return 0, 0, fmt.Errorf("a busy group did not grow")
}
