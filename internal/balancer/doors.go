package balancer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/acme"
	"github.com/virga-cloud/virga/internal/linux/link"
	"github.com/virga-cloud/virga/internal/proxy"
)

// shutTimeout bounds how long a door that is taken away, or the daemon's end,
// waits for requests under way.
const shutTimeout = 10 * time.Second

// openDoor is a place where HTTP is served.
type openDoor struct {
	door
	listener net.Listener
	proxy    *proxy.Proxy
	certs    atomic.Pointer[certificates]
	// moved says that the place's port belongs to someone else on every
	// address: the listener has another port, to which the kernel leads.
	moved bool
}

// setDoors opens, changes and shuts doors as the plan says, and returns what
// is wrong by service. A service that lost its listening port to another
// program gets it by a rule of the kernel's, which is added to the plan.
//
// +checklocks:c.applying
func (c *Controller) setDoors(p plan) map[string][]string {
	problems := map[string][]string{}
	for at, d := range c.doors {
		if w := p.doors[at]; w == nil || w.secure != d.secure {
			c.shut(at, d)
		}
	}
	for _, anywhere := range []bool{true, false} { // where both want a port, the address gives way
		for at, w := range p.doors {
			if at.addr.IsValid() == anywhere {
				continue
			}
			if err := c.setDoor(at, w); err != nil {
				for _, s := range w.services {
					problems[s.ID] = append(problems[s.ID], err.Error())
				}
			}
		}
	}
	c.redirect(p)
	open := make(map[place]*openDoor, len(c.doors))
	for at, d := range c.doors {
		copied := &openDoor{door: d.door, proxy: d.proxy}
		open[at] = copied
	}
	c.mu.Lock()
	c.open = open
	c.mu.Unlock()
	return problems
}

// +checklocks:c.applying
func (c *Controller) setDoor(at place, w *door) error {
	d := c.doors[at]
	if d == nil {
		l, moved, err := listen(at)
		if err != nil {
			return err
		}
		d = &openDoor{door: door{secure: w.secure}, listener: l, moved: moved, proxy: proxy.New(c.Log, c.logs.write)}
		d.proxy.Held, d.proxy.Own = c.held, c.Public.Challenge
		d.proxy.Set(w.config)
		d.certs.Store(c.certificates(w.services))
		var secure *tls.Config
		if w.secure {
			secure = &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{acme.Protocol}, GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
				if shown, yes, err := c.Public.Validates(h); yes {
					return shown, err
				}
				return d.certs.Load().choose(h.ServerName)
			}}
		}
		c.work.Go(func() {
			if err := d.proxy.Serve(l, secure); err != nil {
				c.Log.Error("a service's port does not accept", "address", l.Addr(), "error", err)
			}
		})
		c.doors[at] = d
	} else {
		if !reflect.DeepEqual(d.config, w.config) {
			d.proxy.Set(w.config)
		}
		d.certs.Store(c.certificates(w.services))
	}
	d.config, d.services = w.config, w.services
	return nil
}

// shut closes a door; its requests under way may finish.
//
// +checklocks:c.applying
func (c *Controller) shut(at place, d *openDoor) {
	delete(c.doors, at)
	_ = d.listener.Close() // the only error is that it is closed
	c.work.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), shutTimeout)
		defer cancel()
		if err := d.proxy.Shutdown(ctx); err != nil {
			c.Log.Warn("requests were cut off at the end of a service's port", "port", at.port)
		}
	})
}

// listen opens the listener of a door. An address need not be up yet. When its
// port is taken on every address of the node, any other port will do.
func listen(at place) (l net.Listener, moved bool, err error) {
	ctx := context.Background()
	if !at.addr.IsValid() {
		var lc net.ListenConfig
		l, err = lc.Listen(ctx, "tcp", fmt.Sprintf(":%d", at.port))
		if errors.Is(err, syscall.EADDRINUSE) {
			err = api.Errorf(api.CodeConflict, "port %d of the node is taken", at.port).WithHint("publish another port")
		}
		return l, false, err
	}
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		return errors.Join(c.Control(func(fd uintptr) { err = link.FreeBind(int(fd)) }), err)
	}}
	l, err = lc.Listen(ctx, "tcp", netip.AddrPortFrom(at.addr, at.port).String())
	if errors.Is(err, syscall.EADDRINUSE) {
		l, err = lc.Listen(ctx, "tcp", netip.AddrPortFrom(at.addr, 0).String())
		moved = true
	}
	if err != nil {
		return nil, false, fmt.Errorf("listen at %s port %d: %w", at.addr, at.port, err)
	}
	return l, moved, nil
}
