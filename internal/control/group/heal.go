package group

import (
	"slices"
	"time"

	"github.com/virga-cloud/virga/api"
)

const (
	firstWait   = 100 * time.Millisecond
	longestWait = time.Minute
	// provenAfter is how long a member must have served for the failures
	// before it to be forgotten.
	provenAfter = 10 * time.Second
	// trustedAfter is how long a member without a health check must have run
	// before it may take the place of one of an older revision: most templates
	// that are broken end sooner.
	trustedAfter = time.Second
)

// wait is the time before the next try after that many failures in a row.
// The first failure is answered at once: most have a cause that is gone.
func wait(failures int) time.Duration {
	if failures <= 1 {
		return 0
	}
	return min(firstWait<<min(failures-2, 20), longestWait)
}

// heal sorts the members, has the failed ones removed and counts them. It
// returns how many still hold a place while they leave.
func (p *planner) heal(members []Member) (leaving int) {
	for _, m := range members {
		switch {
		case m.Phase == api.PhaseRemoving:
			leaving++
		case m.Noticed:
			// The market ends it. That it ended itself is no failure.
			if m.Phase.Ended() {
				p.remove(m, "it was interrupted")
			}
			leaving++
		case m.Lost:
			// It failed for no fault of the template's. Whether it still runs is
			// not known: what may exist only once waits until it is.
			p.remove(m, "its node "+m.Node+" is lost")
			leaving++
		case m.failed(p.now, time.Duration(p.spec.HealthGrace)):
			// What is replaced anyhow says nothing about what replaces it.
			if m.Revision == p.current {
				p.plan.Status.Failures++
				p.plan.Status.NextTry = p.now.Add(wait(p.plan.Status.Failures))
				p.plan.Status.Reason = m.Reason
			}
			p.remove(m, "it "+failure(m))
			leaving++
		case m.Warm:
			p.warm = append(p.warm, m)
		default:
			p.alive = append(p.alive, m)
		}
	}
	slices.SortFunc(p.alive, func(a, b Member) int { return a.Created.Compare(b.Created) })
	if len(p.plan.Remove) == 0 && p.proven() {
		p.plan.Status.Failures, p.plan.Status.NextTry, p.plan.Status.Reason = 0, time.Time{}, ""
	}
	return leaving
}

// proven reports whether the failures before may be forgotten: a member made
// since has served, or there are as many as there should be that have. Those
// that serve all along say nothing about one that fails again and again.
func (p *planner) proven() bool {
	good := p.pick(func(m Member) bool { return m.Revision == p.current && m.ready(p.now, provenAfter) })
	since := slices.ContainsFunc(good, func(m Member) bool { return !m.Created.Before(p.plan.Status.NextTry) })
	return since || len(good) == len(p.alive) && len(good) >= p.spec.Desired
}

func failure(m Member) string {
	switch {
	case m.Phase == api.PhaseRunning:
		return "is unhealthy"
	case m.Phase == api.PhaseFailed:
		return "could not be started: " + m.Reason
	case m.Reason != "":
		return "ended: " + m.Reason
	}
	return "ended"
}
