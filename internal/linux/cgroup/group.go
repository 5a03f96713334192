package cgroup

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/internal/linux/cleanup"
)

// Group is one group of processes. It need not exist.
type Group struct {
	root *Root
	id   string
	made []string // its directories, of one that Create has just made
}

// Group returns the group with the id.
func (r *Root) Group(id string) *Group { return &Group{root: r, id: id} }

// Create makes the group and sets its limits. Warnings name the limits that
// this kernel cannot keep. What it made is removed when it fails.
func (r *Root) Create(id string, l Limits) (*Group, []string, error) {
	g := r.Group(id)
	undo := cleanup.Make(func() { _ = g.remove() })
	defer undo.Clean()
	g.made = g.wanted(l)
	for _, d := range g.made {
		if err := mkdir(d); err != nil {
			return nil, nil, err
		}
	}
	if d := g.v1("cpuset"); d != "" && l.CPUSet != "" {
		if err := inheritCPUSet(d); err != nil {
			return nil, nil, err
		}
	}
	warnings, err := g.set(l, true)
	if err == nil {
		err = g.setDevices(l)
	}
	if err != nil {
		return nil, nil, err
	}
	undo.Release()
	return g, warnings, nil
}

// wanted are the directories a group with the limits l needs.
func (g *Group) wanted(l Limits) []string {
	use := []string{"cpu", "memory", "pids"}
	if g.root.Unified == "" {
		use = append(use, "cpuacct", "freezer")
	}
	if l.CPUSet != "" {
		use = append(use, "cpuset")
	}
	if l.BlockIO != (blockIO{}) {
		use = append(use, "blkio")
	}
	if !l.sharedDevices() {
		use = append(use, "devices")
	}
	var dirs []string
	if g.root.Unified != "" {
		dirs = append(dirs, g.unified())
	}
	for _, c := range use {
		if d := g.v1(c); d != "" && !slices.Contains(dirs, d) {
			dirs = append(dirs, d)
		}
	}
	return dirs
}

// unified is the group's directory in the unified hierarchy, "" without one.
func (g *Group) unified() string {
	if g.root.Unified == "" {
		return ""
	}
	return filepath.Join(g.root.Unified, g.root.name, g.id)
}

// Unified is the group's directory in the unified hierarchy, "" without one.
func (g *Group) Unified() string { return g.unified() }

// v1 is the group's directory for a controller of version 1, "" without it.
func (g *Group) v1(controller string) string {
	if m := g.root.V1[controller]; m != "" {
		return filepath.Join(m, g.root.name, g.id)
	}
	return ""
}

// existing are the group's directories that exist.
func (g *Group) existing() []string {
	return slices.DeleteFunc(g.root.dirs(filepath.Join(g.root.name, g.id)), func(d string) bool {
		_, err := os.Stat(d)
		return err != nil
	})
}

// Dir is the group's directory in the hierarchy that has the controller.
func (g *Group) Dir(controller string) string {
	if d := g.v1(controller); d != "" {
		return d
	}
	return g.unified()
}

// Entrances opens the files that a process enters the group by, when it writes
// "0" to each. The caller closes them.
func (g *Group) Entrances() ([]*os.File, error) {
	var files []*os.File
	dirs := slices.Clone(g.made)
	if dirs == nil {
		dirs = g.existing()
	}
	for _, c := range []string{"devices", "cpuset"} {
		if d := g.root.V1[c]; d != "" && !slices.Contains(dirs, g.v1(c)) {
			dirs = append(dirs, filepath.Join(d, g.root.name, shared))
		}
	}
	for _, d := range dirs {
		// Writing to tasks moves one thread and needs no lock that all forks
		// of the machine share; version 2 knows whole processes only.
		name := "tasks"
		if d == g.unified() {
			name = "cgroup.procs"
		}
		f, err := os.OpenFile(filepath.Join(d, name), os.O_WRONLY, 0)
		if err != nil {
			for _, f := range files {
				f.Close()
			}
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// Pids lists the processes in the group, those of groups below it too.
func (g *Group) Pids() ([]int, error) {
	var pids []int
	dir := g.Dir("pids")
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return ignoreGone(err)
		}
		s, err := read(p, "cgroup.procs")
		for f := range strings.FieldsSeq(s) {
			if n, err := strconv.Atoi(f); err == nil {
				pids = append(pids, n)
			}
		}
		return ignoreGone(err)
	})
	return pids, err
}

// Delete removes the group once its processes have ended, which it waits for
// until ctx ends. Idempotent.
func (g *Group) Delete(ctx context.Context) error { return whenEmpty(ctx, g.remove) }

// whenEmpty repeats what removes groups as long as processes are in them. One
// that has ended stays until the scheduler has let go of it, a moment longer
// than whoever waits for it.
func whenEmpty(ctx context.Context, remove func() error) error {
	wait := time.Millisecond
	for {
		err := remove()
		if !errors.Is(err, unix.EBUSY) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(wait):
			wait = min(2*wait, 100*time.Millisecond)
		}
	}
}

func (g *Group) remove() error {
	var errs []error
	for _, d := range g.root.dirs(filepath.Join(g.root.name, g.id)) {
		errs = append(errs, rmdir(d))
	}
	return errors.Join(errs...)
}

// rmdir removes a group's directory with those that the group's processes made
// in it.
func rmdir(dir string) error {
	_, err := retry(func() (int, error) { return 0, unix.Rmdir(dir) })
	switch err {
	case nil, unix.ENOENT:
		return nil
	case unix.EBUSY, unix.ENOTEMPTY:
	default:
		return &fs.PathError{Op: "remove cgroup", Path: dir, Err: err}
	}
	entries, rerr := os.ReadDir(dir)
	if rerr != nil {
		return ignoreGone(rerr)
	}
	below := false
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		below = true
		if err := rmdir(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	if below {
		_, err = retry(func() (int, error) { return 0, unix.Rmdir(dir) })
	}
	if err != nil && err != unix.ENOENT {
		return &fs.PathError{Op: "remove cgroup", Path: dir, Err: err}
	}
	return nil
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}
