package group

import (
	"reflect"
	"slices"
	"time"

	"github.com/virga-cloud/virga/api"
)

// keptRevisions and keptHistory bound what a group remembers.
const (
	keptRevisions = 10
	keptHistory   = 100
)

// Revise makes t, whose image has that id, the template of g. It returns the
// number of the current revision and whether it is another one than before. A
// template that g had before keeps its number, so that instances made from it
// are not replaced.
func Revise(g *api.Group, t api.InstanceSpec, image string, now time.Time) (number int, changed bool) {
	same := func(r api.GroupRevision) bool { return r.Image == image && reflect.DeepEqual(r.Template, t) }
	g.Spec.Template = t
	n := len(g.Revisions)
	if n > 0 && same(g.Revisions[n-1]) {
		return g.Revisions[n-1].Number, false
	}
	next := api.GroupRevision{Number: 1, Created: now, Template: t, Image: image}
	for _, r := range g.Revisions {
		next.Number = max(next.Number, r.Number+1)
	}
	if i := slices.IndexFunc(g.Revisions, same); i >= 0 {
		next = g.Revisions[i]
		g.Revisions = slices.Delete(g.Revisions, i, i+1)
	}
	g.Revisions = append(g.Revisions, next)
	g.Revisions = slices.Delete(g.Revisions, 0, max(0, len(g.Revisions)-keptRevisions))
	Forgive(&g.Status)
	g.Status.RolledBack = 0
	return next.Number, true
}

// Forgive forgets the failures before and releases a held roll: the user has
// changed what is wanted, and that is tried at once.
func Forgive(st *api.GroupStatus) {
	st.Failures, st.NextTry, st.Reason, st.Held = 0, time.Time{}, "", 0
}

// Return makes an earlier revision the current one again; 0 is the one before
// the current. It returns its number, or NotFound.
func Return(g *api.Group, number int, now time.Time) (int, error) {
	if n := len(g.Revisions); number == 0 && n > 1 {
		number = g.Revisions[n-2].Number
	}
	i := slices.IndexFunc(g.Revisions, func(r api.GroupRevision) bool { return r.Number == number })
	if i < 0 && number == 0 {
		return 0, api.Errorf(api.CodeConflict, "group %s has no revision before its first", g.Name)
	}
	if i < 0 {
		return 0, api.Errorf(api.CodeNotFound, "group %s has no revision %d", g.Name, number).
			InField("revision").WithHint("virga group inspect %s shows the revisions that are kept", g.Name)
	}
	r := g.Revisions[i]
	Revise(g, r.Template, r.Image, now)
	return number, nil
}

// Returning reports whether the current revision is one that g had before.
func Returning(g *api.Group) bool {
	return slices.ContainsFunc(g.Revisions, func(r api.GroupRevision) bool { return r.Number > current(*g) })
}

// Note adds a decision to the group's history.
func Note(g *api.Group, now time.Time, message string) { Explain(g, now, message, nil) }

// Explain adds a decision with what it was made from.
func Explain(g *api.Group, now time.Time, message string, inputs map[string]float64) {
	h := append(g.Status.History, api.GroupHistory{Time: now, Message: message, Inputs: inputs})
	g.Status.History = slices.Delete(h, 0, max(0, len(h)-keptHistory))
}

// Refused is the status after an instance could not even be made, which counts
// like one that could not be started.
func Refused(s api.GroupStatus, now time.Time, reason string) api.GroupStatus {
	s.Failures++
	s.NextTry = now.Add(wait(s.Failures))
	s.Reason = reason
	if s.Failures > 2 {
		s.Phase = api.GroupFailing
	}
	return s
}
