package api

import "time"

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

// ValidateName checks a name against the rule for DNS labels, so that every
// name is also an address.
func ValidateName(field, name string) error {
	if isLabel(name) {
		return nil
	}
	return Invalid(field, "%s %q is not a name", field, name).
		WithHint("use 1 to 63 lower-case letters, digits and dashes, beginning and ending with a letter or digit")
}

// isLabel is spelled out, because compiling a regular expression would cost
// every start of the command.
func isLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for _, c := range []byte(s) {
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}
