package compose

import (
	"github.com/compose-spec/compose-go/v2/types"
)

// Watch is a path whose changes concern a service's instances.
type Watch struct {
	Path   string `json:"path"`   // of a file or directory, absolute
	Target string `json:"target"` // where its files go, "" for none
	// Restart restarts the instances after the files are there.
	Restart bool     `json:"restart,omitempty"`
	Ignore  []string `json:"ignore,omitempty"`
	Include []string `json:"include,omitempty"`
	Initial bool     `json:"initial,omitempty"` // all files go there at the beginning, too
}

// watches translates develop.watch. What would need a builder is told.
func (t *translation) watches(s *types.ServiceConfig) (list []Watch) {
	if s.Develop == nil {
		return nil
	}
	for _, w := range s.Develop.Watch {
		next := Watch{Path: w.Path, Target: w.Target, Ignore: w.Ignore, Include: w.Include, Initial: w.InitialSync}
		switch w.Action {
		case types.WatchActionSync:
		case types.WatchActionSyncRestart:
			next.Restart = true
		case types.WatchActionRestart:
			next.Restart, next.Target = true, ""
		default:
			t.warn("services."+s.Name+".develop.watch", "action %q is not honoured for %s: virga builds no images and runs no hooks; use sync, restart or sync+restart", w.Action, w.Path)
			continue
		}
		list = append(list, next)
	}
	return list
}
