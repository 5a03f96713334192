package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Freeze stops every process of the group and returns when all stand still.
func (g *Group) Freeze(ctx context.Context) error { return g.freeze(ctx, true) }

// Thaw lets them go on.
func (g *Group) Thaw(ctx context.Context) error { return g.freeze(ctx, false) }

func (g *Group) freeze(ctx context.Context, on bool) error {
	if d := g.unified(); d != "" {
		if err := write(d, "cgroup.freeze", map[bool]string{true: "1", false: "0"}[on]); err != nil {
			return err
		}
		return await(ctx, d, "cgroup.events", func(s string) bool { return (parseTable(s)["frozen"] == 1) == on })
	}
	state := map[bool]string{true: "FROZEN", false: "THAWED"}[on]
	d := g.v1("freezer")
	if err := write(d, "freezer.state", state); err != nil {
		return err
	}
	return await(ctx, d, "freezer.state", func(s string) bool { return s == state })
}

// Frozen reports whether the group stands still, or is about to.
func (g *Group) Frozen() (bool, error) {
	if d := g.unified(); d != "" {
		s, err := read(d, "cgroup.freeze")
		return s == "1", ignoreGone(err)
	}
	s, err := read(g.v1("freezer"), "freezer.state")
	return s != "" && s != "THAWED", ignoreGone(err)
}

// await reads a control file until done likes it. The kernel announces changes
// of version 2's files; the others are read again after a moment.
func await(ctx context.Context, dir, file string, done func(string) bool) error {
	f, err := os.Open(filepath.Join(dir, file))
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		var b [512]byte
		n, err := f.ReadAt(b[:], 0)
		if n == 0 && err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		if done(strings.TrimSpace(string(b[:n]))) {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("wait for %s: %w", f.Name(), err)
		}
		// The timeout bounds how late the end of ctx is seen.
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLPRI}}, 10)
	}
}

// Kill ends every process of the group, frozen ones too. It does not wait for
// them to be gone.
func (g *Group) Kill(ctx context.Context) error {
	if d := g.unified(); d != "" {
		err := write(d, "cgroup.kill", "1")
		if err == nil || errors.Is(err, unix.ENODEV) {
			return nil
		}
		if !errors.Is(err, unix.ENOENT) {
			return err
		}
		if _, err := os.Stat(d); err != nil {
			return ignoreGone(err)
		}
	}
	return g.killEach(ctx)
}

// killEach freezes the group so that nothing forks meanwhile, and kills what
// is in it.
func (g *Group) killEach(ctx context.Context) error {
	slow, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_ = g.Freeze(slow) // without it the loop takes longer, no more
	pids, err := g.Pids()
	for range 100 {
		if err != nil || len(pids) == 0 {
			break
		}
		for _, p := range pids {
			if kerr := unix.Kill(p, unix.SIGKILL); kerr != nil && kerr != unix.ESRCH {
				err = kerr
			}
		}
		if terr := g.Thaw(ctx); terr != nil {
			return terr
		}
		pids, err = g.Pids()
	}
	return ignoreGone(err)
}
