package server

import (
	"context"
	"net/http"

	"github.com/virga-cloud/virga/api"
)

func (s *Server) resizeRoutes() {
	route(s, http.MethodPost, "/v1/instances/{id}/update", "Change an instance's limits and restart policy", s.updateInstance)
	route(s, http.MethodPost, "/v1/instances/{id}/resize", "Give an instance another type, or its writable layer another size", s.resizeInstance)
}

type updateInstance struct {
	Target
	Body api.UpdateRequest
}

func (s *Server) updateInstance(ctx context.Context, r *updateInstance) (*none, error) {
	return s.apply(ctx, r.Target, "update", s.Admission.Update(r.Body))
}

type resizeInstance struct {
	Target
	Body api.ResizeRequest
}

func (s *Server) resizeInstance(ctx context.Context, r *resizeInstance) (*none, error) {
	return s.apply(ctx, r.Target, "resize", s.Admission.Resize(r.Body))
}

// apply changes an instance's size. The node follows when it runs.
func (s *Server) apply(ctx context.Context, t Target, action string, change func(*api.Instance) error) (*none, error) {
	in, err := s.instance(t)
	if err != nil {
		return nil, err
	}
	next, err := s.Admission.Preview(in.ID, change)
	if err != nil {
		return nil, err
	}
	if err := s.aboveUse(ctx, in, next.Limits()); err != nil {
		return nil, err
	}
	// First the disk, which can still refuse: one that is larger than it is said
	// to be harms nobody.
	if size := next.Limits().Disk; size != in.Limits().Disk {
		if err := s.Node.ResizeDisk(ctx, in.ID, size); err != nil {
			return nil, err
		}
	}
	now, err := s.Admission.Apply(ctx, in.ID, change)
	if err != nil {
		return nil, err
	}
	s.record(&now, action, "now "+now.TypeName(), map[string]string{"type": now.TypeName(), "before": in.TypeName()})
	return &none{}, nil
}

// aboveUse refuses limits below what a running instance uses.
func (s *Server) aboveUse(ctx context.Context, in *api.Instance, want api.Resources) error {
	have := in.Limits()
	lessMemory := want.Memory > 0 && (have.Memory == 0 || want.Memory < have.Memory)
	lessPids := want.PidsLimit > 0 && (have.PidsLimit <= 0 || want.PidsLimit < have.PidsLimit)
	if in.Status.Phase.Ended() || !lessMemory && !lessPids {
		return nil
	}
	used, err := s.Node.Stats(ctx, in.ID)
	if now, gone := s.Store.Instances.View(in.ID); err != nil && (gone != nil || now.Status.Phase.Ended()) {
		return nil // it has ended meanwhile
	}
	switch {
	case err != nil:
		return err
	case lessMemory && used.Memory.Usage > want.Memory:
		return api.Errorf(api.CodeConflict, "memory: instance %s uses %s, which is more than %s",
			in.Name, api.FormatBytes(used.Memory.Usage), api.FormatBytes(want.Memory)).InField("spec.resources.memory").
			WithHint("free memory in the instance, or stop it: the limit then counts from its next start")
	case lessPids && used.Pids.Current > want.PidsLimit:
		return api.Errorf(api.CodeConflict, "tasks: instance %s has %d, which is more than %d",
			in.Name, used.Pids.Current, want.PidsLimit).InField("spec.resources.pidsLimit").
			WithHint("end some, or stop the instance: the limit then counts from its next start")
	}
	return nil
}

// withDisk adds the use of a writable layer with a size.
func (s *Server) withDisk(in *api.Instance) *api.Instance {
	u := s.Node.Disk(in)
	if u == nil {
		return in
	}
	shown := *in
	shown.Disk = u
	return &shown
}
