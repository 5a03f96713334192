package container

import (
	"context"
	"strings"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
	"github.com/virga-cloud/virga/internal/linux/confine"
	"github.com/virga-cloud/virga/internal/linux/mount"
	"github.com/virga-cloud/virga/internal/linux/proc"
)

// share leaves the namespaces to others that the instance is not to have for
// itself.
func (e *Engine) share(_ context.Context, t engine.Task, _ *view, p *prepared) error {
	n := t.Spec.Namespaces
	s := &p.Start.Sharing
	s.PID, s.IPC, s.UTS = space(n.PID), space(n.IPC), space(n.UTS)
	if s.UTS == confine.Nodes {
		p.Start.Hostname = ""
	}
	if s.PID == confine.Others || s.IPC == confine.Others {
		l, err := e.of(n.Instance())
		if err != nil {
			return err
		}
		if s.Other, err = proc.Open(l.pid); err != nil {
			return notRunning(n.Instance())
		}
		p.keep(s.Other)
	}
	if s.IPC != confine.Nodes {
		return nil
	}
	shm, err := mount.Clone("/dev/shm", false)
	if err != nil {
		return err
	}
	p.keep(shm)
	p.Start.Shm = shm
	return mount.Private(shm)
}

// space is whose a namespace is that the spec names.
func space(name string) confine.Space {
	switch {
	case name == api.NamespaceHost:
		return confine.Nodes
	case strings.HasPrefix(name, api.NamespaceOf):
		return confine.Others
	}
	return confine.Own
}
