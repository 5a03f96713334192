package autoconf

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/mdlayher/ndp"
	"golang.org/x/net/ipv6"

	"github.com/virga-cloud/virga/internal/linux/link"
)

// Server answers the guests of a node's networks. It works in the network
// namespace it was made in. Its methods may be called concurrently.
type Server struct {
	log     *slog.Logger
	packets *link.Packets

	mu sync.Mutex
	at map[string]*counter // +checklocks:mu; by network
}

// NewServer makes a server that listens nowhere yet.
func NewServer(log *slog.Logger) (*Server, error) {
	p, err := link.OpenPackets()
	if err != nil {
		return nil, err
	}
	return &Server{log: log, packets: p, at: map[string]*counter{}}, nil
}

// Set makes guests those that are answered on a network, which has to be up.
// Without guests nothing listens there. Declarative and safe to repeat; an
// error leaves things as they were.
func (s *Server) Set(ctx context.Context, n Network, guests []Guest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.at[n.Key]
	if c != nil && (len(guests) == 0 || !c.serves(n)) {
		c.close()
		delete(s.at, n.Key)
		c = nil
	}
	switch {
	case len(guests) == 0:
		return nil
	case c != nil:
		for _, g := range c.desk.set(n, guests) {
			c.advertise(n, g)
		}
		return nil
	}
	c, err := s.open(ctx, n, guests)
	if err != nil {
		return err
	}
	s.at[n.Key] = c
	return nil
}

// Close ends all answers.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, c := range s.at {
		c.close()
		delete(s.at, key)
	}
	return s.packets.Close()
}

// counter is a desk with its sockets.
type counter struct {
	desk    *desk
	packets *link.Packets
	bridge  int // index
	log     *slog.Logger

	four *net.UDPConn
	six  *net.UDPConn     // nil without IPv6
	icmp *ipv6.PacketConn // nil without IPv6

	stop chan struct{}
	work sync.WaitGroup
}

// maxMessage is the longest question that is read, in bytes; the rest of a
// longer one is cut off, which makes it malformed.
const maxMessage = 1500

func (s *Server) open(ctx context.Context, n Network, guests []Guest) (*counter, error) {
	c := &counter{desk: newDesk(s.log), packets: s.packets, bridge: n.Index, log: s.log.With("network", n.Key), stop: make(chan struct{})}
	c.desk.set(n, guests)
	if err := c.listen(ctx, n); err != nil {
		c.close()
		return nil, err
	}
	c.work.Go(c.serve4)
	if c.six != nil {
		c.work.Go(c.serve6)
		c.work.Go(c.serveRouter)
		c.work.Go(c.remind)
	}
	return c, nil
}

func (c *counter) listen(ctx context.Context, n Network) error {
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		return errors.Join(raw.Control(func(fd uintptr) { err = link.BindToLink(int(fd), n.Bridge) }), err)
	}}
	p, err := lc.ListenPacket(ctx, "udp4", "0.0.0.0:67")
	if err != nil {
		return fmt.Errorf("listen for DHCP on %s: %w", n.Bridge, err)
	}
	c.four = p.(*net.UDPConn)
	if !n.Subnet6.IsValid() {
		return nil
	}
	if p, err = lc.ListenPacket(ctx, "udp6", "[::]:547"); err != nil {
		return fmt.Errorf("listen for DHCPv6 on %s: %w", n.Bridge, err)
	}
	c.six = p.(*net.UDPConn)
	bridge := &net.Interface{Index: n.Index, Name: n.Bridge}
	if err := ipv6.NewPacketConn(c.six).JoinGroup(bridge, &net.UDPAddr{IP: net.ParseIP("ff02::1:2")}); err != nil {
		return fmt.Errorf("listen for DHCPv6 on %s: %w", n.Bridge, err)
	}
	if p, err = lc.ListenPacket(ctx, "ip6:58", "::"); err != nil {
		return fmt.Errorf("listen for router solicitations on %s: %w", n.Bridge, err)
	}
	c.icmp = ipv6.NewPacketConn(p)
	var only ipv6.ICMPFilter
	only.SetAll(true)
	only.Accept(ipv6.ICMPTypeRouterSolicitation)
	if err := errors.Join(
		c.icmp.SetICMPFilter(&only),
		c.icmp.SetControlMessage(ipv6.FlagHopLimit, true),
		c.icmp.SetHopLimit(255),
		c.icmp.JoinGroup(bridge, &net.IPAddr{IP: net.IPv6linklocalallrouters}),
	); err != nil {
		return fmt.Errorf("listen for router solicitations on %s: %w", n.Bridge, err)
	}
	return nil
}

// serves says whether the sockets are those for a network.
func (c *counter) serves(n Network) bool {
	return c.bridge == n.Index && (c.six != nil) == n.Subnet6.IsValid()
}

// close ends the answers and waits for those under way.
func (c *counter) close() {
	close(c.stop)
	if c.four != nil {
		c.four.Close()
	}
	if c.six != nil {
		c.six.Close()
	}
	if c.icmp != nil {
		c.icmp.Close()
	}
	c.work.Wait()
}

func (c *counter) serve4() {
	b := make([]byte, maxMessage)
	for {
		n, from, err := c.four.ReadFromUDPAddrPort(b)
		if err != nil {
			if !c.goOn(err) {
				return
			}
			continue
		}
		if packet, to := c.desk.answer4(b[:n], from.Addr()); packet != nil {
			c.failed(c.packets.Send(c.bridge, to, packet))
		}
	}
}

func (c *counter) serve6() {
	b := make([]byte, maxMessage)
	for {
		n, from, err := c.six.ReadFromUDPAddrPort(b)
		if err != nil {
			if !c.goOn(err) {
				return
			}
			continue
		}
		if out := c.desk.answer6(b[:n], from.Addr()); out != nil {
			// The socket knows the link; a client listens at one port.
			_, err := c.six.WriteToUDPAddrPort(out, netip.AddrPortFrom(from.Addr().WithZone(""), 546))
			c.failed(err)
		}
	}
}

func (c *counter) serveRouter() {
	b := make([]byte, maxMessage)
	for {
		n, cm, from, err := c.icmp.ReadFrom(b)
		if err != nil {
			if !c.goOn(err) {
				return
			}
			continue
		}
		a, ok := netip.AddrFromSlice(from.(*net.IPAddr).IP)
		if !ok || cm == nil {
			continue
		}
		if n, g, ok := c.desk.solicited(b[:n], a, cm.HopLimit); ok {
			c.advertise(n, g)
		}
	}
}

// remind tells guests what they were told, from time to time: the first time
// at once, for an earlier daemon may have said something else.
func (c *counter) remind() {
	tick := time.NewTicker(advertiseEvery)
	defer tick.Stop()
	for {
		n, guests := c.desk.guests()
		for _, g := range guests {
			c.advertise(n, g)
		}
		select {
		case <-c.stop:
			return
		case <-tick.C:
		}
	}
}

// advertise tells one guest of its router.
func (c *counter) advertise(n Network, g Guest) {
	if c.icmp == nil {
		return
	}
	b, err := ndp.MarshalMessage(advertisement(n, g))
	if err == nil {
		_, err = c.icmp.WriteTo(b, nil, &net.IPAddr{IP: g.linkLocal().AsSlice()})
	}
	c.failed(err)
}

// failed logs that an answer was not sent. The guest asks again.
func (c *counter) failed(err error) {
	if err != nil && !errors.Is(err, net.ErrClosed) {
		c.log.Debug("guest is not answered", "err", err)
	}
}

// goOn says whether to read again after an error, a moment later.
func (c *counter) goOn(err error) bool {
	if errors.Is(err, net.ErrClosed) {
		return false
	}
	c.log.Warn("questions of guests cannot be read", "err", err)
	select {
	case <-c.stop:
		return false
	case <-time.After(time.Second):
		return true
	}
}
