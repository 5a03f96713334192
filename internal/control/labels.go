package control

import (
	"strings"

	"github.com/virga-cloud/virga/api"
)

// Limits of an object's labels.
const (
	maxLabels     = 128
	maxLabelKey   = 256
	maxLabelValue = 4096
)

// ValidateLabels checks the labels of an object.
func ValidateLabels(labels map[string]string) error {
	if len(labels) > maxLabels {
		return api.Invalid("labels", "%d labels are more than %d", len(labels), maxLabels)
	}
	for k, v := range labels {
		field := "labels." + k
		if k == "" || len(k) > maxLabelKey || strings.ContainsAny(k, "=\n\x00") {
			return api.Invalid(field, "label key %q is not 1 to %d characters without = and line breaks", k, maxLabelKey)
		}
		if len(v) > maxLabelValue || strings.ContainsRune(v, 0) {
			return api.Invalid(field, "the value of label %s is not up to %d characters of text", k, maxLabelValue)
		}
	}
	return nil
}

// Selector chooses objects by their labels; all terms must match.
type Selector []selectorTerm

type selectorTerm struct {
	key, value string
	any        bool // whatever the value
}

// ParseSelector reads terms of the form KEY or KEY=VALUE.
func ParseSelector(terms []string) (Selector, error) {
	var s Selector
	for _, t := range terms {
		k, v, exact := strings.Cut(t, "=")
		if k == "" {
			return nil, api.Invalid("label", "label selector %q has no key", t).WithHint("KEY or KEY=VALUE")
		}
		s = append(s, selectorTerm{k, v, !exact})
	}
	return s, nil
}

// Matches reports whether every term fits labels.
func (s Selector) Matches(labels map[string]string) bool {
	for _, t := range s {
		if v, ok := labels[t.key]; !ok || !t.any && v != t.value {
			return false
		}
	}
	return true
}
