package api

import (
	"strings"
	"time"
)

// PruneRequest says what of all that nothing uses is to be removed.
type PruneRequest struct {
	All       bool      `json:"all,omitempty" doc:"What has a name too"`
	Until     time.Time `json:"until,omitzero" doc:"Only what was made before"`
	Labels    []string  `json:"labels,omitempty" doc:"KEY or KEY=VALUE: only what has all of them"`
	NotLabels []string  `json:"notLabels,omitempty" doc:"KEY or KEY=VALUE: only what has none of them"`
}

// Takes reports whether something that was made then and has labels is to be
// removed.
func (p *PruneRequest) Takes(made time.Time, labels map[string]string) bool {
	if !p.Until.IsZero() && !made.Before(p.Until) {
		return false
	}
	for _, l := range p.Labels {
		if !Labelled(labels, l) {
			return false
		}
	}
	for _, l := range p.NotLabels {
		if Labelled(labels, l) {
			return false
		}
	}
	return true
}

// Labelled reports whether labels have KEY, or KEY=VALUE.
func Labelled(labels map[string]string, want string) bool {
	key, value, valued := strings.Cut(want, "=")
	got, has := labels[key]
	return has && (!valued || got == value)
}
