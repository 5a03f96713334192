package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
	"github.com/virga-cloud/virga/internal/network"
)

// begun is a life that start began, with what its status will say.
type begun struct {
	engine.Started
	image     api.Image
	task      engine.Task
	addresses []api.AddressOn
	ports     []api.Port
	volumes   []string
	cores     string
}

// start begins the next life. A life that cannot begin is not an error of the
// agent's: the status says why. An object that is still being stored is waited
// for before anything is said of it.
func (a *Agent) start(ctx context.Context, w *worker, in *api.Instance, s *storing) error {
	w.mu.Lock()
	w.life = max(w.life, in.Status.Starts) + 1
	life := w.life
	quick := w.facts.quick
	w.facts = facts{quick: quick, asked: in.Desired.Life, limits: in.Limits(), claim: claim(in), limited: true,
		networks: in.Spec.Networks, networked: true}
	w.mu.Unlock()

	asked := in.Desired.Life
	b, err := a.begin(ctx, in, life, s)
	if e := s.wait(); e != nil {
		return e
	}
	if err != nil {
		return a.failed(ctx, w, in, asked, err)
	}
	w.mu.Lock()
	w.facts.alive = w.facts.exit == nil // it may have ended already
	w.facts.signal = b.image.Config.StopSignal
	w.mu.Unlock()

	checked := healthCheck(&in.Spec, b.image.Config) != nil
	if err := a.observe(in.ID, func(st *api.InstanceStatus) {
		*st = running(*st, b, life, asked)
		if checked { // from the first moment, so that nobody takes it for ready
			st.Health = &api.HealthStatus{State: api.HealthStarting}
		}
	}); err != nil {
		return err
	}
	a.record(in, "start", "", map[string]string{"image": in.Spec.Image})
	a.watchHealth(w, in, b.image.Config)
	return nil
}

// begin makes everything a life stands on and starts it. What a failure
// leaves is the instance's own and is made again or removed with it.
func (a *Agent) begin(ctx context.Context, in *api.Instance, life int, s *storing) (*begun, error) {
	b := &begun{}
	laps := engine.Time(ctx, a.Log)
	var err error
	var layers []string
	if b.image, layers, err = a.image(ctx, in); err != nil {
		return nil, err
	}
	dir := a.instanceDir(in.ID)
	if b.task, err = task(in, b.image.Config, dir, a.hostname(in)); err != nil {
		return nil, err
	}
	b.task.Life, b.task.Layers, b.task.Gate = life, layers, s.wait
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, fmt.Errorf("make directory of %s: %w", in.ID, err)
	}
	if size := b.task.Spec.Resources.Disk; size > 0 {
		if err := a.Disks.Make(ctx, engine.Writable(dir), size); err != nil {
			return nil, err
		}
	}
	if len(withImageVolumes(in.Spec.Mounts, b.image.Config.Volumes)) > 0 {
		// A volume is stored under the name of the instance that it is for.
		if err := s.wait(); err != nil {
			return nil, err
		}
	}
	if b.task.Mounts, b.volumes, err = a.mounts(ctx, in, b.image.Config); err != nil {
		return nil, err
	}
	if err := a.hold(in); err != nil {
		return nil, err
	}
	laps.Lap("image")
	share, err := a.share(in)
	if err != nil {
		return nil, err
	}
	r := networkRequest(in)
	r.Share = share
	at, err := a.Network.Attach(ctx, r)
	if err != nil {
		return nil, err
	}
	defer at.Close()
	b.task.Sandbox, b.task.Hosts, b.task.Resolv = at.Sandbox, at.Hosts, at.Resolv
	b.addresses, b.ports = at.Addresses, at.Ports
	laps.Lap("network")
	grant, err := a.CPU.Admit(claim(in))
	if err != nil {
		return nil, err
	}
	laps.Lap("cpu")
	b.task.Spec.Resources = granted(b.task.Spec.Resources, grant)
	if b.Started, err = a.Engine.Start(ctx, b.task); err != nil {
		return nil, err
	}
	laps.Lap("engine")
	a.CPU.Started(in.ID)
	laps.Log(ctx, "instance began", in.ID)
	b.cores, b.Warnings = grant.Cores, append(b.Warnings, grant.Warnings...)
	return b, nil
}

// image resolves the image that the instance was first started from, so that
// a tag which moved meanwhile does not change what a restart runs.
func (a *Agent) image(ctx context.Context, in *api.Instance) (api.Image, []string, error) {
	return a.Images.Resolve(ctx, first(in.Status.Image, in.Spec.Image))
}

func networkRequest(in *api.Instance) network.Request {
	s := &in.Spec
	return network.Request{
		Kind: networkKind(s.Isolation), Instance: in.ID, Name: in.Name, Project: in.Project, Labels: in.Labels, Group: in.Group,
		Networks: s.Networks, Ports: s.Ports, Rate: in.Limits().NetworkRate, Keep: in.Status.Addresses,
		UserNS:  s.Security.OwnUserNS(),
		Sysctls: s.Security.Sysctls, Hostname: s.Hostname,
		DNS: s.DNS, DNSSearch: s.DNSSearch, DNSOptions: s.DNSOptions, ExtraHosts: s.ExtraHosts,
	}
}

// networkKind is how an isolation is attached to networks.
func networkKind(i api.Isolation) network.Kind {
	switch i {
	case api.IsolationMicroVM, api.IsolationVM, api.IsolationUnikernel:
		return network.Tap
	}
	return network.Veth
}

// running is the status of a life that has begun.
func running(st api.InstanceStatus, b *begun, life, asked int) api.InstanceStatus {
	restarts := 0
	if st.Life == asked && st.Starts > 0 {
		restarts = st.Restarts + 1
	}
	return api.InstanceStatus{
		Phase: api.PhaseRunning, Life: asked, Starts: life, Restarts: restarts,
		PID: b.PID, Started: b.Time, Warnings: b.Warnings,
		Image: b.image.ID, Addresses: b.addresses, Ports: b.ports, Volumes: b.volumes,
		Command: b.task.Args, CPUs: b.cores,
	}
}

// failed records that a life could not begin. The restart policy holds for
// restarts only: a first start that fails is reported to who asked for it.
func (a *Agent) failed(ctx context.Context, w *worker, in *api.Instance, asked int, cause error) error {
	w.set(func(f *facts) { f.alive, f.exit = false, nil; f.quick++ })
	a.Volumes.Release(in.ID)
	cerr := a.Network.Detach(ctx, in.ID)
	e, ok := errors.AsType[*api.Error](cause)
	if !ok {
		e = api.FromOS(cause)
	}
	if e == nil {
		e = api.Errorf(api.CodeInternal, "%v", cause)
		a.Log.Error("start failed", "instance", in.ID, "error", cause)
	}
	again := restarts(in.Spec.Restart, lostCode, in.Status.Restarts)
	now := time.Now()
	err := a.observe(in.ID, func(st *api.InstanceStatus) {
		st.Phase, st.Reason, st.Error = api.PhaseFailed, e.Message, e
		if st.Life == asked && again {
			st.Phase = api.PhaseRestarting
			st.Restarts++
		}
		if st.Life != asked {
			st.Restarts = 0
		}
		st.Life = asked
		st.PID, st.Addresses, st.Ports = 0, nil, nil
		st.Finished = now
	})
	if again {
		a.rested(in.ID, api.PhaseRestarting)
	} else {
		a.rested(in.ID, api.PhaseFailed)
	}
	a.record(in, "fail", e.Message, nil)
	return errors.Join(err, cerr)
}
