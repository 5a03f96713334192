package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
	"github.com/virga-cloud/virga/internal/linux/confine"
	"github.com/virga-cloud/virga/internal/linux/mount"
)

// mounts prepares the user's mounts.
func (e *Engine) mounts(ctx context.Context, t engine.Task, v *view, p *prepared) error {
	for i, m := range t.Mounts {
		field := fmt.Sprintf("spec.mounts[%d]", i)
		if !strings.HasPrefix(m.Target, "/") || m.Target == "/" {
			return api.Invalid(field+".target", "mount target %q is not an absolute path below /", m.Target)
		}
		cm, err := e.mount(ctx, t, m, v, p)
		if e, ok := errors.AsType[*api.Error](err); ok {
			return e.InField(field + "." + e.Field)
		}
		if err != nil {
			return fmt.Errorf("mount %s: %w", m.Target, err)
		}
		p.Start.Mounts = append(p.Start.Mounts, cm)
		v.covered = append(v.covered, cm.Target)
	}
	return nil
}

func (e *Engine) mount(ctx context.Context, t engine.Task, m engine.Mount, v *view, p *prepared) (confine.Mount, error) {
	cm := confine.Mount{Late: isBelow(m.Target, "/proc") || isBelow(m.Target, "/sys")}
	want := directory
	if m.Type == api.MountTmpfs {
		cm.Type, cm.Params, cm.Attrs = "tmpfs", tmpfsParams(m, t.Spec.Resources.Memory), mount.NoSuid|mount.NoDev
		if !m.Exec {
			cm.Attrs |= mount.NoExec
		}
	} else {
		src, dir, err := e.source(ctx, t, m, p)
		if err != nil {
			return cm, err
		}
		p.keep(src)
		cm.Source = src
		if !dir {
			want = file
		}
	}
	at, err := v.place(m.Target, want)
	if errors.Is(err, errKind) {
		return cm, api.Invalid("target", "cannot mount %s on %s: one is a directory and the other is not", m.Host, m.Target).
			WithHint("mount a directory on a directory, or a file on a file")
	}
	cm.Target, cm.Make, cm.File = at.path, at.make, want == file
	return cm, err
}

func isBelow(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }

func tmpfsParams(m engine.Mount, memory int64) []confine.Param {
	mode := m.Mode
	if mode == 0 {
		mode = 0o1777
	}
	params := []confine.Param{{Key: "source", Value: "tmpfs"}, {Key: "mode", Value: fmt.Sprintf("%o", mode)}}
	if m.UID != 0 {
		params = append(params, confine.Param{Key: "uid", Value: fmt.Sprint(m.UID)})
	}
	if m.GID != 0 {
		params = append(params, confine.Param{Key: "gid", Value: fmt.Sprint(m.GID)})
	}
	size := m.Size
	if size == 0 {
		size = memory / 2
	}
	if size > 0 {
		params = append(params, confine.Param{Key: "size", Value: fmt.Sprint(size)})
	}
	return params
}

// source clones what is on the host, shifted to the instance's ids.
func (e *Engine) source(ctx context.Context, t engine.Task, m engine.Mount, p *prepared) (f *os.File, dir bool, err error) {
	st, err := os.Stat(m.Host)
	if errors.Is(err, os.ErrNotExist) && m.Create {
		if err = os.MkdirAll(m.Host, 0o755); err == nil {
			st, err = os.Stat(m.Host)
		}
	}
	if err != nil {
		return nil, false, api.Invalid("source", "mount source %s: %v", m.Host, rootCause(err)).
			WithHint("make it on the node first, or use a volume")
	}
	if m.Copy && st.IsDir() {
		if err := e.copyUp(ctx, t, m); err != nil {
			return nil, false, fmt.Errorf("fill volume: %w", err)
		}
	}
	if f, err = mount.Clone(m.Host, m.Type == api.MountBind); err != nil {
		return nil, false, err
	}
	if err := e.shift(t, m, f, p); err != nil {
		f.Close()
		return nil, false, err
	}
	return f, st.IsDir(), nil
}

func (e *Engine) shift(t engine.Task, m engine.Mount, f *os.File, p *prepared) error {
	if err := mount.Private(f); err != nil {
		return err
	}
	if t.Sandbox.UserNS != nil {
		err := mount.MapIDs(f, t.Sandbox.UserNS, true)
		if errors.Is(err, mount.ErrNoIDMap) {
			p.warn("the owners of the files in %s are shown as nobody: their file system cannot shift ids", m.Host)
		} else if err != nil {
			return err
		}
	}
	attrs := uint64(mount.NoDev)
	if m.ReadOnly {
		attrs |= mount.ReadOnly
	}
	if t.Spec.Security.Privileged {
		attrs &^= mount.NoDev
	}
	if attrs == 0 {
		return nil
	}
	return mount.SetAttr(f, attrs, true)
}
