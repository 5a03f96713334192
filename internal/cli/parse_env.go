package cli

import (
	"bufio"
	"io"
	"strings"

	"github.com/virga-cloud/virga/api"
)

// lookup finds a variable of the command's own environment.
type lookup func(string) (string, bool)

// parseEnv reads one -e: KEY=VALUE, or KEY to take the value from the
// command's environment; ok is false when it is not set there.
func parseEnv(s string, env lookup) (kv string, ok bool, err error) {
	key, _, valued := strings.Cut(s, "=")
	if key == "" || strings.ContainsAny(key, " \t\n\x00") {
		return "", false, api.Invalid("spec.env", "environment variable %q: the name is empty or has a space", s)
	}
	if valued {
		return s, true, nil
	}
	value, ok := env(key)
	return key + "=" + value, ok, nil
}

// parseEnvFile reads a file of such lines; # begins a comment line.
func parseEnvFile(r io.Reader, env lookup) ([]string, error) {
	var out []string
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		line := strings.TrimLeft(strings.TrimSuffix(s.Text(), "\r"), " \t")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		kv, ok, err := parseEnv(line, env)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, kv)
		}
	}
	return out, s.Err()
}

// parseLabel reads KEY=VALUE or KEY.
func parseLabel(s string) (key, value string, err error) {
	key, value, _ = strings.Cut(s, "=")
	if key == "" {
		return "", "", api.Invalid("labels", "label %q: the key is empty", s)
	}
	return key, value, nil
}
