package node

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
)

// defaultPath is PATH where the image sets none.
const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// task merges an instance's spec with its image's configuration, as Docker
// does. What needs the node's state, mounts and sandbox, is added by the caller.
func task(in *api.Instance, img api.ImageConfig, dir, hostname string) (engine.Task, error) {
	s := &in.Spec
	args := command(s, img)
	if len(args) == 0 {
		return engine.Task{}, api.Invalid("spec.command", "the image %s has no command and none was given", s.Image).
			WithHint("name a command after the image")
	}
	t := engine.Task{
		Instance:   in.ID,
		Name:       in.Name,
		Args:       args,
		WorkingDir: first(s.WorkingDir, img.WorkingDir, "/"),
		User:       first(s.User, img.User),
		TTY:        s.TTY,
		Stdin:      s.Stdin,
		StdinOnce:  s.StdinOnce,
		Hostname:   hostname,
		Spec:       *s,
		Dir:        dir,
		Log:        filepath.Join(dir, logName),
	}
	t.Spec.Resources = in.Limits()
	t.Env = environment(t, img.Env, s.Env)
	return t, nil
}

// logName is the instance's log in its directory.
const logName = "log"

// command is entrypoint and command as run. An entrypoint of the spec takes
// the image's command away with the image's entrypoint; one empty string in it
// is no entrypoint at all.
func command(s *api.InstanceSpec, img api.ImageConfig) []string {
	entry, cmd := s.Entrypoint, s.Command
	if len(entry) == 0 {
		entry = img.Entrypoint
		if len(cmd) == 0 {
			cmd = img.Command
		}
	}
	if len(entry) == 1 && entry[0] == "" {
		entry = nil
	}
	return slices.Concat(entry, cmd)
}

// environment is what every workload gets, then the image's, then the spec's;
// a later value replaces an earlier one in its place, and a name without a
// value takes it away.
func environment(t engine.Task, layers ...[]string) []string {
	env := []string{defaultPath, "HOSTNAME=" + t.Hostname}
	if t.TTY {
		env = append(env, "TERM=xterm")
	}
	for _, layer := range layers {
		for _, kv := range layer {
			name, _, set := strings.Cut(kv, "=")
			i := slices.IndexFunc(env, func(e string) bool { return strings.HasPrefix(e, name+"=") })
			switch {
			case set && i >= 0:
				env[i] = kv
			case set:
				env = append(env, kv)
			case i >= 0:
				env = slices.Delete(env, i, i+1)
			}
		}
	}
	return env
}

// healthCheck is the check in force, nil for none.
func healthCheck(s *api.InstanceSpec, img api.ImageConfig) *api.HealthCheck {
	h := s.Health
	if h == nil {
		h = img.Health
	}
	if h == nil || len(h.Test) < 2 || h.Test[0] == "NONE" {
		return nil
	}
	return h
}

// first returns the first string that is not empty.
func first(s ...string) string {
	for _, v := range s {
		if v != "" {
			return v
		}
	}
	return ""
}
