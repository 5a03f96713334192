package api

import (
	"regexp"
	"time"
)

// DefaultProject owns what is created without naming a project.
const DefaultProject = "default"

// Meta is what every stored object has.
type Meta struct {
	// ID is unique for ever: 16 lower-case base32 characters, made by the server.
	ID string `json:"id"`
	// Name is unique among the project's objects of one kind.
	Name    string            `json:"name"`
	Project string            `json:"project"`
	Labels  map[string]string `json:"labels,omitempty"`
	Created time.Time         `json:"created"`
	// Revision grows with every stored change of any object.
	Revision int64 `json:"revision"`
}

// namePattern is a DNS label, so that every name is also an address.
var namePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// ValidateName checks a name against the rule for DNS labels.
func ValidateName(field, name string) error {
	if namePattern.MatchString(name) {
		return nil
	}
	return Invalid(field, "%s %q is not a name", field, name).
		WithHint("use 1 to 63 lower-case letters, digits and dashes, beginning and ending with a letter or digit")
}
