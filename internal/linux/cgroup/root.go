package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Root is the group that holds all groups of one daemon.
type Root struct {
	Layout
	name   string
	bpf    *devicePrograms
	joined bool // this process is in the group of the shared CPUs
}

// shared is a group of version 1's devices and cpuset controllers that
// everything is in which has no list of devices, or of CPUs, of its own; it
// cannot be an id.
const shared = ".default"

// Open makes the root group name in every hierarchy, with its controllers
// handed down to the groups in it. Idempotent.
func Open(name string) (*Root, error) {
	l, err := Discover()
	if err != nil {
		return nil, err
	}
	r := &Root{Layout: l, name: name, bpf: &devicePrograms{}}
	if err := r.setUp(); err != nil {
		return nil, fmt.Errorf("set up cgroup %s: %w", name, err)
	}
	return r, nil
}

// Close lets go of what the root holds in this process, and takes the root
// group away wherever nothing is in it. Other groups stay.
func (r *Root) Close() error {
	err := r.leave()
	for _, path := range []string{filepath.Join(r.name, shared), r.name} {
		for _, d := range r.dirs(path) {
			_ = unix.Rmdir(d) // in use: Open finds it again
		}
	}
	return errors.Join(err, r.bpf.close())
}

// Remove takes the root group away; every group in it must be gone, or about to
// be until ctx ends.
func (r *Root) Remove(ctx context.Context) error {
	if err := r.leave(); err != nil {
		return err
	}
	return whenEmpty(ctx, func() error {
		var errs []error
		for _, d := range append(r.dirs(filepath.Join(r.name, shared)), r.dirs(r.name)...) {
			errs = append(errs, rmdir(d))
		}
		return errors.Join(errs...)
	})
}

func (r *Root) setUp() error {
	if r.Unified != "" {
		if err := r.handDown(r.Unified); err != nil {
			return err
		}
	}
	for _, d := range r.dirs(r.name) {
		if err := mkdir(d); err != nil {
			return err
		}
	}
	if r.Unified != "" {
		if err := r.handDown(filepath.Join(r.Unified, r.name)); err != nil {
			return err
		}
	}
	if m := r.V1["cpuset"]; m != "" {
		for _, d := range []string{filepath.Join(m, r.name), filepath.Join(m, r.name, shared)} {
			if err := mkdir(d); err != nil {
				return err
			}
			if err := inheritCPUSet(d); err != nil {
				return err
			}
		}
	}
	if m := r.V1["devices"]; m != "" {
		d := filepath.Join(m, r.name, shared)
		if err := mkdir(d); err != nil {
			return err
		}
		return allowOnly(d, DefaultDevices)
	}
	return nil
}

// handDown lets the groups in dir, a group of version 2, use the controllers
// that exist. Processes may not stay in a group that does so (but for the
// machine's root): those that are there go to a leaf, the daemon's own among
// them when it runs in a container.
func (r *Root) handDown(dir string) error {
	var want []string
	for _, c := range []string{"cpu", "cpuset", "memory", "pids", "io"} {
		if slices.Contains(r.V2, c) {
			want = append(want, "+"+c)
		}
	}
	if len(want) == 0 {
		return nil
	}
	err := write(dir, "cgroup.subtree_control", strings.Join(want, " "))
	if !errors.Is(err, unix.EBUSY) {
		return err
	}
	leaf := filepath.Join(dir, r.name+"-daemon")
	if err := mkdir(leaf); err != nil {
		return err
	}
	pids, err := read(dir, "cgroup.procs")
	if err != nil {
		return err
	}
	for pid := range strings.FieldsSeq(pids) {
		if err := write(leaf, "cgroup.procs", pid); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	return write(dir, "cgroup.subtree_control", strings.Join(want, " "))
}

// dirs are the directories of the group at path in every hierarchy, each once.
func (r *Root) dirs(path string) []string {
	var dirs []string
	if r.Unified != "" {
		dirs = append(dirs, filepath.Join(r.Unified, path))
	}
	for _, c := range known {
		if m := r.V1[c]; m != "" {
			if d := filepath.Join(m, path); !slices.Contains(dirs, d) {
				dirs = append(dirs, d)
			}
		}
	}
	return dirs
}

// List returns the ids of the groups that exist in any hierarchy.
func (r *Root) List() ([]string, error) {
	var ids []string
	for _, d := range r.dirs(r.name) {
		entries, err := os.ReadDir(d)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			if e.IsDir() && e.Name() != shared {
				ids = append(ids, e.Name())
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// inheritCPUSet fills the CPUs and memory nodes of a new group of version 1,
// which nothing may enter while they are empty.
func inheritCPUSet(dir string) error {
	for _, f := range []string{"cpuset.cpus", "cpuset.mems"} {
		have, err := read(dir, f)
		if err != nil || have != "" {
			continue
		}
		v, err := read(filepath.Dir(dir), f)
		if err != nil {
			return err
		}
		if err := write(dir, f, v); err != nil {
			return err
		}
	}
	return nil
}
