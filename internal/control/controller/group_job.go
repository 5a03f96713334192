package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control"
	"github.com/virga-cloud/virga/internal/control/group"
	"github.com/virga-cloud/virga/internal/control/job"
)

// pieceVariable tells an instance of a job which piece of the work is its.
const pieceVariable = "VIRGA_JOB_PIECE"

// stepJob makes one plan for a group that is a job and carries it out.
func (c *Groups) stepJob(ctx context.Context, g *api.Group, list []*api.Instance) (wake time.Time, err error) {
	now := c.Now()
	byID := map[string]*api.Instance{}
	members := make([]group.Member, len(list))
	for i, in := range list {
		members[i], byID[in.ID] = c.member(in), in
		if code := in.Status.ExitCode; code != nil && *code == 0 && in.Status.Phase == api.PhaseStopped {
			members[i].Reason = ""
		}
	}
	plan := job.Decide(*g, members, now)
	if err := c.noteJob(ctx, g, plan, now); err != nil {
		if errors.Is(err, errStale) || api.CodeOf(err) == api.CodeNotFound {
			return now, nil
		}
		return time.Time{}, err
	}
	for _, r := range plan.Remove {
		if err := c.retire(ctx, g, byID[r.ID], r.Reason); err != nil {
			return time.Time{}, err
		}
	}
	for _, piece := range plan.Create {
		refused, err := c.createPiece(ctx, g, plan.Status.Run, piece)
		if err != nil {
			return time.Time{}, err
		}
		if refused != nil {
			return c.refused(ctx, g, jobStatus(g.Status, plan), refused)
		}
	}
	return plan.Wake, nil
}

// jobStatus is the status s after plan.
func jobStatus(s api.GroupStatus, plan job.Plan) api.GroupStatus {
	s.Job, s.Phase, s.Reason = &plan.Status, plan.Phase, plan.Reason
	s.Instances, s.Ready, s.Current = plan.Status.Active, plan.Status.Active, plan.Status.Active
	if len(plan.Notes) > 0 {
		s.Failures, s.NextTry = 0, time.Time{}
	}
	return s
}

// noteJob stores what the plan says. The beginning and the end of a run are on
// disk before anything is done about them.
func (c *Groups) noteJob(ctx context.Context, g *api.Group, plan job.Plan, now time.Time) error {
	decided := len(plan.Notes) > 0 || g.Status.Job == nil || !g.Status.Job.Next.Equal(plan.Status.Next)
	set := func(g *api.Group) { g.Status = jobStatus(g.Status, plan) }
	if !decided {
		if was := *g.Status.Job; was == plan.Status && g.Status.Phase == plan.Phase && g.Status.Reason == plan.Reason {
			return nil
		}
		return c.Writes.Observe(g.ID, set)
	}
	run := 0
	if g.Status.Job != nil {
		run = g.Status.Job.Run
	}
	err := c.Writes.Update(ctx, g.ID, func(g *api.Group) error {
		if g.Remove || g.Status.Job != nil && g.Status.Job.Run != run {
			return errStale
		}
		set(g)
		for _, n := range plan.Notes {
			group.Note(g, now, n)
		}
		return nil
	})
	for _, n := range plan.Notes {
		if err == nil {
			c.record(g, "job", n, map[string]string{"run": strconv.Itoa(plan.Status.Run)})
		}
	}
	return err
}

// createPiece makes the instance that does one piece of a run's work.
func (c *Groups) createPiece(ctx context.Context, g *api.Group, run, piece int) (refused *api.Error, err error) {
	r := g.Revisions[len(g.Revisions)-1]
	spec := memberSpec(g, r.Template, piece)
	spec.Env = append(slices.Clone(spec.Env), fmt.Sprintf("%s=%d", pieceVariable, piece))
	return c.make(ctx, g, control.Creation{
		Start:         true,
		CreateRequest: api.CreateRequest{Name: g.Name + "-" + control.NewID()[:6], Labels: maps.Clone(g.Spec.Labels), Spec: spec},
		Revision:      run, Ordinal: piece, Image: r.Image,
		Cause: fmt.Sprintf("job %s: piece %d of run %d", g.Name, piece, run),
	})
}
