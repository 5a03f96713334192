package daemon

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/acme"
	"github.com/virga-cloud/virga/internal/balancer"
	"github.com/virga-cloud/virga/internal/ca"
	"github.com/virga-cloud/virga/internal/control/controller"
	"github.com/virga-cloud/virga/internal/node"
	"github.com/virga-cloud/virga/internal/server"
)

// newServices makes what balances the node's services.
func (d *Daemon) newServices() (*balancer.Controller, error) {
	var err error
	if d.authority, err = ca.Open(d.dir("ca")); err != nil {
		return nil, err
	}
	d.activator = &controller.Activator{Store: d.store, Record: d.events.Append, Now: time.Now, Log: d.log}
	var c *balancer.Controller
	public := acme.New(acme.Config{Dir: d.dir("acme"), Directory: d.config.ACMEDirectory, Email: d.config.ACMEEmail,
		Root: d.config.ACMERoot, Log: d.log, Changed: func() { c.Kick() }})
	d.onClose(func() error { public.Close(); return nil })
	c = balancer.New(balancer.Config{
		Held:  d.activator.Held,
		Store: d.store, Network: d.ground.network, Authority: d.authority, Public: public, Exec: d.exec,
		LogDir: d.dir("services"), Domain: "virga.internal", Record: d.events.Append, Log: d.log,
	})
	return c, nil
}

// exec runs a command in an instance, throws away what it says, and returns
// its exit status.
func (d *Daemon) exec(ctx context.Context, instance string, command []string) (code int, err error) {
	s, err := d.node.Exec(ctx, instance, api.ExecSpec{Command: command})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for {
		if _, _, err := s.Read(ctx); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return 0, err
		}
	}
	return s.Wait(ctx)
}

var (
	_ node.Drainer    = (*balancer.Controller)(nil)
	_ server.Services = (*balancer.Controller)(nil)
)
