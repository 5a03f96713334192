package network

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"github.com/virga-cloud/virga/internal/linux/link"
)

// MetadataAddr is where instances look for the metadata service.
var MetadataAddr = netip.AddrFrom4([4]byte{169, 254, 169, 254})

// Who finds the instance that has an address on one network.
type Who = func(netip.Addr) (instance string, ok bool)

// doors are the sockets behind MetadataAddr, one at each network's gateway on
// a port that the kernel chose. The rules send there what the network's
// instances send to MetadataAddr, so that the node itself never has that
// address: the machine may be somebody's instance and need it.
type doors struct {
	mu    sync.Mutex
	open  map[string]*door        // +checklocks:mu; by the network's key
	serve func(net.Listener, Who) // +checklocks:mu; nil: connections wait
	work  sync.WaitGroup
}

type door struct {
	net.Listener
	gateway netip.Addr
	who     Who
}

// ServeMetadata has serve answer at every network there is and will be, each
// call until its listener is closed. Connections made before wait for it.
func (f *Fabric) ServeMetadata(serve func(net.Listener, Who)) {
	d := &f.doors
	d.mu.Lock()
	defer d.mu.Unlock()
	d.serve = serve
	for _, o := range d.open {
		d.work.Go(func() { serve(o, o.who) })
	}
}

// openDoor listens at a network's gateway, which need not be up yet.
func (f *Fabric) openDoor(ctx context.Context, s *segment) {
	d := &f.doors
	d.mu.Lock()
	defer d.mu.Unlock()
	o := d.open[s.key]
	if o == nil || o.gateway != s.gateway {
		if o != nil {
			o.Close()
			delete(d.open, s.key)
		}
		lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
			var err error
			return errors.Join(c.Control(func(fd uintptr) { err = link.FreeBind(int(fd)) }), err)
		}}
		l, err := lc.Listen(ctx, "tcp4", netip.AddrPortFrom(s.gateway, 0).String())
		if err != nil {
			f.config.Log.Error("instances have no metadata service", "network", s.name, "err", err)
			return
		}
		key := s.key
		o = &door{l, s.gateway, func(a netip.Addr) (string, bool) { return f.resident(key, a) }}
		if d.open == nil {
			d.open = map[string]*door{}
		}
		d.open[s.key] = o
		if d.serve != nil {
			serve := d.serve
			d.work.Go(func() { serve(o, o.who) })
		}
	}
	s.door = o.Addr().(*net.TCPAddr).AddrPort()
}

// closeDoor ends the answers on a network. Idempotent.
func (f *Fabric) closeDoor(key string) {
	f.doors.mu.Lock()
	defer f.doors.mu.Unlock()
	if o := f.doors.open[key]; o != nil {
		o.Close()
		delete(f.doors.open, key)
	}
}

// closeDoors ends all answers and waits for who gives them.
func (f *Fabric) closeDoors() {
	f.doors.mu.Lock()
	for key, o := range f.doors.open {
		o.Close()
		delete(f.doors.open, key)
	}
	f.doors.mu.Unlock()
	f.doors.work.Wait()
}

// resident is the instance that has an address on a network.
func (f *Fabric) resident(key string, a netip.Addr) (string, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.members {
		for _, p := range m.ports {
			if p.addr == a && p.segment.key == key {
				return m.instance, true
			}
		}
	}
	return "", false
}
