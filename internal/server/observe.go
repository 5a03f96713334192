package server

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/virga-cloud/virga/api"
)

// statsInterval is the time between two readings that are followed.
const statsInterval = time.Second

func (s *Server) observeRoutes() {
	raw(s, http.MethodGet, "/v1/instances/{id}/logs", "Read an instance's output", eventStream, s.logs)
	raw(s, http.MethodGet, "/v1/instances/{id}/stats", "Read what an instance uses", eventStream, s.stats)
	route(s, http.MethodGet, "/v1/stats", "Read what every running instance uses", s.allStats)
	route(s, http.MethodGet, "/v1/instances/{id}/processes", "List an instance's processes", s.processes)
	raw(s, http.MethodGet, "/v1/events", "Read events, oldest first", eventStream, s.events)
}

type logsRequest struct {
	Target
	Follow     bool   `query:"follow" doc:"Go on with what is written from now on"`
	Since      string `query:"since" doc:"RFC 3339 time or duration before now"`
	Until      string `query:"until" doc:"RFC 3339 time or duration before now"`
	Tail       int    `query:"tail" default:"-1" minimum:"-1" doc:"Last lines only; -1 is all"`
	Timestamps bool   `query:"timestamps" doc:"Whether the client shows times"`
}

func (s *Server) logs(r *http.Request, w http.ResponseWriter, q *logsRequest) error {
	in, err := s.instance(q.Target)
	if err != nil {
		return err
	}
	for _, t := range []struct{ field, value string }{{"since", q.Since}, {"until", q.Until}} {
		if err := validTime(t.field, t.value); err != nil {
			return err
		}
	}
	ctx, done := s.lasting(r.Context())
	defer done()
	o := api.LogOptions{Follow: q.Follow, Since: q.Since, Until: q.Until, Tail: q.Tail, Timestamps: q.Timestamps}
	return stream(ctx, w, s.Node.Logs(ctx, in.ID, o))
}

func validTime(field, v string) error {
	if v == "" {
		return nil
	}
	if _, err := time.Parse(time.RFC3339Nano, v); err == nil {
		return nil
	}
	if d, err := time.ParseDuration(v); err == nil && d >= 0 {
		return nil
	}
	return api.Invalid(field, "%s %q is not a time", field, v).WithHint("RFC 3339 such as 2026-01-02T15:04:05Z, or a duration before now such as 10m")
}

type statsRequest struct {
	Target
	Follow bool `query:"follow" doc:"Each second, until the instance ends"`
}

func (s *Server) stats(r *http.Request, w http.ResponseWriter, q *statsRequest) error {
	in, err := s.running(r.Context(), q.Target)
	if err != nil {
		return err
	}
	ctx, done := s.lasting(r.Context())
	defer done()
	return stream(ctx, w, func(yield func(api.Stats, error) bool) {
		tick := time.NewTicker(statsInterval)
		defer tick.Stop()
		for {
			st, err := s.Node.Stats(ctx, in.ID)
			if now, gone := s.Store.Instances.View(in.ID); err != nil && (gone != nil || now.Status.Phase.Ended()) {
				return // it has ended meanwhile
			}
			st.Instance, st.Name = in.ID, in.Name
			if !yield(st, err) || err != nil || !q.Follow {
				return
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
}

func (s *Server) allStats(ctx context.Context, p *InProject) (*body[[]api.Stats], error) {
	out := &body[[]api.Stats]{Body: []api.Stats{}}
	for _, in := range s.Store.Instances.Views() {
		if in.Project != p.Project || in.Status.Phase != api.PhaseRunning && in.Status.Phase != api.PhasePaused {
			continue
		}
		st, err := s.Node.Stats(ctx, in.ID)
		if err != nil {
			if now, gone := s.Store.Instances.View(in.ID); gone != nil || now.Status.Phase.Ended() {
				continue
			}
			return nil, err
		}
		st.Instance, st.Name = in.ID, in.Name
		out.Body = append(out.Body, st)
	}
	slices.SortFunc(out.Body, func(a, b api.Stats) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

func (s *Server) processes(ctx context.Context, t *Target) (*body[[]api.Process], error) {
	in, err := s.running(ctx, *t)
	if err != nil {
		return nil, err
	}
	list, err := s.Node.Processes(ctx, in.ID)
	return &body[[]api.Process]{notNil(list)}, err
}

type eventsRequest struct {
	Since  int64 `query:"since" minimum:"0" doc:"Events with a greater seq; 0 is all that are kept"`
	Last   int64 `header:"Last-Event-ID" minimum:"0" doc:"The same, as browsers resume a stream; the greater counts"`
	Follow bool  `query:"follow" doc:"Go on with what happens from now on"`
}

func (s *Server) events(r *http.Request, w http.ResponseWriter, q *eventsRequest) error {
	q.Since = max(q.Since, q.Last)
	ctx, done := s.lasting(r.Context())
	defer done()
	return stream(ctx, w, func(yield func(api.Event, error) bool) {
		if !q.Follow {
			events, _ := s.Events.After(q.Since)
			for _, e := range events {
				if !yield(e, nil) {
					return
				}
			}
			return
		}
		for e := range s.Events.Follow(ctx, q.Since) {
			if !yield(e, nil) {
				return
			}
		}
	})
}
