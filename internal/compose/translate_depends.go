package compose

import (
	"maps"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

func (t *translation) after(s *types.ServiceConfig) (list []Dependency) {
	for _, on := range slices.Sorted(maps.Keys(s.DependsOn)) {
		d := s.DependsOn[on]
		c := Condition(d.Condition)
		if c == "" {
			c = Started
		}
		list = append(list, Dependency{Service: on, Condition: c, Optional: !d.Required, Restart: d.Restart})
	}
	for _, l := range s.Links {
		if target, alias, ok := strings.Cut(l, ":"); ok && alias != target {
			t.warn("services."+s.Name+".links", "gives no other name: %s is reached as %s", alias, target)
		}
	}
	return list
}

// dependencies joins the names of services for a label.
func dependencies(list []Dependency) string {
	var s []string
	for _, d := range list {
		s = append(s, d.Service)
	}
	return strings.Join(s, ",")
}
