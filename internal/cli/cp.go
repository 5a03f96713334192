package cli

import (
	"context"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func cpCommand(a *App) *command.Command {
	return &command.Command{
		Use:   "cp INSTANCE:PATH PATH|- | PATH|- INSTANCE:PATH",
		Short: "Copy files between an instance and this machine",
		Long: "Copy a file or directory out of or into an instance, which need not run. - is a tar on standard\n" +
			"output or input. A source directory ending in /. is copied without itself.",
		Example: "  virga cp web:/etc/nginx ./nginx\n  virga cp index.html web:/usr/share/nginx/html/\n  tar c . | virga cp - web:/srv",
		Args:    arguments(2, 2),
		Run: func(cmd *command.Command, args []string) error {
			from, fromPath, out := cutInstance(args[0])
			to, toPath, in := cutInstance(args[1])
			switch {
			case out && in:
				return api.Invalid("path", "copying from one instance to another is not possible").WithHint("use `virga cp A:PATH - | virga cp - B:PATH`")
			case out:
				return a.copyOut(cmd.Context(), from, fromPath, args[1])
			case in:
				return a.copyIn(cmd.Context(), args[0], to, toPath)
			}
			return api.Invalid("path", "neither path is in an instance").WithHint("write it as INSTANCE:PATH")
		},
	}
}

// cutInstance separates INSTANCE:PATH. Local paths with a colon begin with a
// slash or a dot.
func cutInstance(s string) (id, path string, ok bool) {
	if strings.HasPrefix(s, "/") || strings.HasPrefix(s, ".") || s == "-" {
		return "", s, false
	}
	return strings.Cut(s, ":")
}

// copyOut writes a path of an instance to target.
func (a *App) copyOut(ctx context.Context, id, from, target string) error {
	tar, err := a.api().ReadFiles(ctx, id, rooted(from))
	if err != nil {
		return err
	}
	defer tar.Close()
	if target == "-" {
		if _, tty := terminal(a.Out); tty {
			return api.Invalid("path", "an archive is not written to a terminal")
		}
		_, err := io.Copy(a.Out, tar)
		return err
	}
	dir, name := filepath.Dir(filepath.Clean(target)), filepath.Base(target)
	if info, err := os.Stat(target); err == nil && info.IsDir() {
		dir, name = target, "" // into it, under its own name
		if strings.HasSuffix(from, "/.") {
			name = "."
		}
	} else if strings.HasSuffix(target, "/") && err != nil {
		if err := os.Mkdir(target, 0o755); err != nil {
			return api.Invalid("path", "%s: %s", target, reason(err))
		}
		dir, name = target, ""
	}
	return unpack(tar, dir, name)
}

// copyIn writes source to a path of an instance.
func (a *App) copyIn(ctx context.Context, source, id, to string) error {
	to = rooted(to)
	if source == "-" {
		return a.api().WriteFiles(ctx, id, to, a.In)
	}
	if _, err := os.Lstat(source); err != nil {
		return api.Invalid("path", "%s: %s", source, reason(err))
	}
	dir, name := path.Split(path.Clean(to))
	if strings.HasSuffix(to, "/") || a.isDirectory(ctx, id, to) {
		dir, name = to, filepath.Base(absolute(source, mustDir()))
	}
	if strings.HasSuffix(source, "/.") {
		dir, name = to, "."
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(pack(w, source, name)) }()
	defer r.Close()
	return a.api().WriteFiles(ctx, id, dir, r)
}

// mustDir is the working directory, "/" when it is gone.
func mustDir() string {
	dir, err := os.Getwd()
	if err != nil {
		return "/"
	}
	return dir
}

func rooted(p string) string {
	if strings.HasPrefix(p, "/") {
		return p
	}
	return "/" + p
}
