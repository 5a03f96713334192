package container

import (
	"context"
	"errors"
	"path"
	"strings"
	"syscall"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
)

// command finds the working directory and the program.
func (e *Engine) command(_ context.Context, t engine.Task, v *view, p *prepared) error {
	wd := t.WorkingDir
	if wd == "" {
		wd = "/"
	}
	if !strings.HasPrefix(wd, "/") {
		return api.Invalid("spec.workingDir", "working directory %q is not absolute", wd)
	}
	at, err := v.place(wd, directory)
	if errors.Is(err, errKind) {
		return api.Invalid("spec.workingDir", "working directory %q is not a directory in the image", wd).WithHint("name a directory, or one that does not exist yet")
	}
	if err != nil {
		return err
	}
	p.WorkingDir, p.MakeWorkingDir = at.path, at.make
	p.Paths = candidates(v, p.Argv[0], wd, p.Env)
	return nil
}

// candidates lists the files that may be meant by a command's name. A view
// tells which of them is there, when nothing is mounted over it.
func candidates(v *view, name, wd string, env []string) []string {
	if strings.Contains(name, "/") {
		return []string{name}
	}
	var all []string
	for dir := range strings.SplitSeq(lookupEnv(env, "PATH"), ":") {
		if !strings.HasPrefix(dir, "/") {
			dir = path.Join(wd, dir)
		}
		file := path.Join(dir, name)
		if v != nil && v.cover(dir) == "" {
			st, err := v.Stat(file)
			if err != nil {
				continue
			}
			if st.Mode&syscall.S_IFMT == syscall.S_IFREG && st.Mode&0o111 != 0 {
				return append(all, file)
			}
		}
		all = append(all, file)
	}
	if len(all) == 0 {
		// Nothing is there: the execve says so.
		return []string{path.Join("/usr/bin", name)}
	}
	return all
}

func lookupEnv(env []string, key string) string {
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, key+"="); ok {
			return v
		}
	}
	return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
}
