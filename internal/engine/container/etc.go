package container

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"

	"github.com/virga-cloud/virga/internal/engine"
	"github.com/virga-cloud/virga/internal/linux/confine"
	"github.com/virga-cloud/virga/internal/linux/mount"
)

// etc puts the files in /etc that say who and where the instance is. They lie
// beside the writable layer, so that each life has fresh ones.
func (e *Engine) etc(_ context.Context, t engine.Task, v *view, p *prepared) error {
	dir := filepath.Join(t.Dir, "etc")
	if err := os.Mkdir(dir, 0o711); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	for _, f := range []struct {
		name     string
		contents []byte
	}{
		{"hosts", t.Hosts}, {"hostname", []byte(t.Hostname + "\n")}, {"resolv.conf", t.Resolv},
	} {
		target := "/etc/" + f.name
		if f.contents == nil || slices.ContainsFunc(t.Mounts, func(m engine.Mount) bool { return isBelow(target, m.Target) }) {
			continue // the user's mount is the one that counts
		}
		cm, err := e.etcFile(t, v, p, filepath.Join(dir, f.name), target, f.contents)
		if errors.Is(err, errKind) {
			p.warn("%s is not a file in the image and stays as it is", target)
			continue
		}
		if err != nil {
			return err
		}
		p.Start.Mounts = append(p.Start.Mounts, cm)
	}
	return nil
}

func (e *Engine) etcFile(t engine.Task, v *view, p *prepared, source, target string, contents []byte) (confine.Mount, error) {
	at, err := v.place(target, file)
	if err != nil {
		return confine.Mount{}, err
	}
	if have, err := os.ReadFile(source); err != nil || !bytes.Equal(have, contents) {
		if err := os.WriteFile(source, contents, 0o644); err != nil {
			return confine.Mount{}, err
		}
	}
	f, err := mount.Clone(source, false)
	if err != nil {
		return confine.Mount{}, err
	}
	p.keep(f)
	if err := e.shift(t, engine.Mount{Host: source}, f, p); err != nil {
		return confine.Mount{}, err
	}
	return confine.Mount{Source: f, Target: at.path, Make: at.make, File: true}, nil
}
