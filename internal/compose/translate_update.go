package compose

import (
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/virga-cloud/virga/api"
)

// updatePolicy translates update_config and rollback_config. Without the first
// a roll starts one new instance before it ends an old one; without the second
// a return goes as the first says.
func (t *translation) updatePolicy(s *types.ServiceConfig, n int) (u api.UpdatePolicy) {
	if s.Deploy == nil {
		return u
	}
	field := "services." + s.Name + ".deploy."
	if c := s.Deploy.UpdateConfig; c != nil {
		u.MaxSurge, u.MaxUnavailable = steps(c, n)
		u.MinReady = settled(c)
		switch c.FailureAction {
		case "rollback":
			u.Rollback = failures(c, n)
		default:
			u.Hold = t.holds(field+"update_config", c, n)
		}
	}
	if c := s.Deploy.RollbackConfig; c != nil {
		r := &api.ReturnPolicy{MinReady: settled(c)}
		r.MaxSurge, r.MaxUnavailable = steps(c, n)
		if c.FailureAction == "rollback" {
			t.warn(field+"rollback_config.failure_action", "%q is not honoured: a return is held instead", c.FailureAction)
		}
		r.Hold = t.holds(field+"rollback_config", c, n)
		u.Return = r
	}
	return u
}

// steps is how many instances there may be beyond and below the desired number:
// parallelism is how many are replaced at once, 0 is all.
func steps(c *types.UpdateConfig, n int) (surge *int, unavailable int) {
	at := 1
	if c.Parallelism != nil {
		if at = int(min(*c.Parallelism, 10_000)); at == 0 {
			at = max(n, 1)
		}
	}
	if c.Order == "start-first" {
		return &at, 0
	}
	return new(int), at
}

// settled is how long a new instance must be ready before the next goes: it is
// watched for the monitor time, and the next waits for the delay.
func settled(c *types.UpdateConfig) api.Duration { return api.Duration(max(c.Monitor, c.Delay)) }

// failures is how many in a row are more than the file tolerates of n.
func failures(c *types.UpdateConfig, n int) int { return 1 + int(c.MaxFailureRatio*float32(n)) }

// holds is after how many failures a roll is held, which is what pause means,
// and what the specification has when nothing is said.
func (t *translation) holds(field string, c *types.UpdateConfig, n int) int {
	if c.FailureAction == "continue" {
		t.warn(field+".failure_action", "%q is honoured in part: the roll is tried on, and replaces nothing while it fails", c.FailureAction)
		return 0
	}
	return failures(c, n)
}
