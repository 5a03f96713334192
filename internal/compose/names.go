package compose

import (
	"strings"

	"github.com/virga-cloud/virga/api"
)

// name makes a virga name of parts: Compose allows underscores, dots and
// capitals, which names that are addresses cannot have.
func name(parts ...string) string {
	s := strings.ToLower(strings.Join(parts, "-"))
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, s)
	return strings.Trim(s, "-")
}

// names sees to it that no two things of a kind get one name.
type names map[string]string

// take claims a name for what is called what, an error when another has it.
func (n names) take(name, what string) error {
	if other, ok := n[name]; ok && other != what {
		return api.Errorf(api.CodeInvalid, "%s and %s would both be named %s", other, what, name).
			WithHint("names of virga are lower-case letters, digits and dashes: call one of the two otherwise")
	}
	n[name] = what
	return nil
}
