package cli

import (
	"archive/tar"
	"context"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

// maxLinks is how many links that lead to links are followed, as the kernel does.
const maxLinks = 40

// cp copies between an instance and this machine.
type cp struct {
	archive bool // keep owners
	follow  bool // copy what a link that is named leads to
}

func cpCommand(a *App) *command.Command {
	var c cp
	cmd := &command.Command{
		Use:   "cp [flags] INSTANCE:PATH PATH|- | PATH|- INSTANCE:PATH",
		Short: "Copy files between an instance and this machine",
		Long: "Copy a file or directory out of or into an instance, which need not run. - is a tar on standard\n" +
			"output or input. A source directory ending in /. is copied without itself. What is copied belongs to you, inside the\n" +
			"instance to root, unless -a keeps the owners.",
		Example: "  virga cp web:/etc/nginx ./nginx\n  virga cp index.html web:/usr/share/nginx/html/\n  virga cp -a web:/srv backup\n  tar c . | virga cp - web:/srv",
		Args:    arguments(2, 2),
		Run:     func(cmd *command.Command, args []string) error { return c.run(cmd.Context(), a, args[0], args[1]) },
	}
	f := cmd.Flags()
	f.BoolVarP(&c.archive, "archive", "a", false, "keep the user and group of each file")
	f.BoolVarP(&c.follow, "follow-link", "L", false, "copy what the source leads to when it is a symbolic link")
	f.BoolP("quiet", "q", false, "no effect: nothing is shown")
	_ = f.MarkHidden("quiet")
	return cmd
}

func (c *cp) run(ctx context.Context, a *App, source, target string) error {
	from, fromPath, out := cutInstance(source)
	to, toPath, in := cutInstance(target)
	switch {
	case out && in:
		return api.Invalid("path", "copying from one instance to another is not possible").WithHint("use `virga cp A:PATH - | virga cp - B:PATH`")
	case out:
		return c.out(ctx, a, from, fromPath, target)
	case in:
		return c.in(ctx, a, source, to, toPath)
	}
	return api.Invalid("path", "neither path is in an instance").WithHint("write it as INSTANCE:PATH")
}

// cutInstance separates INSTANCE:PATH. Local paths with a colon begin with a
// slash or a dot.
func cutInstance(s string) (id, path string, ok bool) {
	if strings.HasPrefix(s, "/") || strings.HasPrefix(s, ".") || s == "-" {
		return "", s, false
	}
	return strings.Cut(s, ":")
}

// out writes a path of an instance to target.
func (c *cp) out(ctx context.Context, a *App, id, from, target string) error {
	name := filepath.Base(from) // of a link that is followed, not of what it leads to
	if c.follow {
		to, err := a.followed(ctx, id, rooted(from))
		if err != nil {
			return err
		}
		from = to
	}
	body, err := a.api().ReadFiles(ctx, id, rooted(from))
	if err != nil {
		return err
	}
	defer body.Close()
	if target == "-" {
		if _, tty := terminal(a.Out); tty {
			return api.Invalid("path", "an archive is not written to a terminal")
		}
		_, err := io.Copy(a.Out, body)
		return err
	}
	u := unpacking{dir: filepath.Dir(filepath.Clean(target)), name: filepath.Base(target), owners: c.archive}
	if info, err := os.Stat(target); err == nil && info.IsDir() {
		u.dir, u.name = target, "" // into it, under its own name
		switch {
		case strings.HasSuffix(from, "/."):
			u.name = "."
		case c.follow:
			u.name = name
		}
	} else if strings.HasSuffix(target, "/") && err != nil {
		if err := os.Mkdir(target, 0o755); err != nil {
			return api.Invalid("path", "%s: %s", target, reason(err))
		}
		u.dir, u.name = target, ""
	}
	return u.unpack(body)
}

// in writes source to a path of an instance.
func (c *cp) in(ctx context.Context, a *App, source, id, to string) error {
	to = rooted(to)
	if source == "-" {
		return a.api().WriteFiles(ctx, id, to, a.In)
	}
	name := filepath.Base(absolute(source, mustDir()))
	if c.follow {
		whole := strings.HasSuffix(source, "/.")
		resolved, err := filepath.EvalSymlinks(source)
		if err != nil {
			return api.Invalid("path", "%s: %s", source, reason(err))
		}
		if source = resolved; whole {
			source += "/."
		}
	}
	if _, err := os.Lstat(source); err != nil {
		return api.Invalid("path", "%s: %s", source, reason(err))
	}
	dir, base := path.Split(path.Clean(to))
	if strings.HasSuffix(to, "/") || a.isDirectory(ctx, id, to) {
		dir, base = to, name
	}
	if strings.HasSuffix(source, "/.") {
		dir, base = to, "."
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(pack(w, source, base, c.archive)) }()
	defer r.Close()
	return a.api().WriteFiles(ctx, id, dir, r)
}

// followed returns what a path of an instance leads to: itself unless it is a
// symbolic link. Links are read as the instance sees them.
func (a *App) followed(ctx context.Context, id, p string) (string, error) {
	for range maxLinks {
		h, err := a.firstEntry(ctx, id, p)
		if err != nil {
			return "", err
		}
		if h.Typeflag != tar.TypeSymlink {
			return p, nil
		}
		if p = path.Clean(p); path.IsAbs(h.Linkname) {
			p = "/"
		} else {
			p = path.Dir(p)
		}
		p = path.Join(p, h.Linkname)
	}
	return "", api.Invalid("path", "%s: too many levels of symbolic links", p)
}

// isDirectory reports whether a path of an instance is one.
func (a *App) isDirectory(ctx context.Context, id, p string) bool {
	h, err := a.firstEntry(ctx, id, p)
	return err == nil && h.Typeflag == tar.TypeDir
}

// firstEntry asks for a path's archive and returns the head of its first entry.
func (a *App) firstEntry(ctx context.Context, id, p string) (*tar.Header, error) {
	body, err := a.api().ReadFiles(ctx, id, p)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return tar.NewReader(body).Next()
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
