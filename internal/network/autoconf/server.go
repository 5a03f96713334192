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
	at map[string]*listener // +checklocks:mu; by network
}

// NewServer makes a server that listens nowhere yet.
func NewServer(log *slog.Logger) (*Server, error) {
	p, err := link.OpenPackets()
	if err != nil {
		return nil, err
	}
	return &Server{log: log, packets: p, at: map[string]*listener{}}, nil
}

// Set makes guests those that are answered on a network, which has to be up.
// Without guests nothing listens there. Declarative and safe to repeat; an
// error leaves things as they were.
func (s *Server) Set(ctx context.Context, n Network, guests []Guest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.at[n.Key]
	if l != nil && (len(guests) == 0 || !l.serves(n)) {
		l.close()
		delete(s.at, n.Key)
		l = nil
	}
	switch {
	case len(guests) == 0:
		return nil
	case l != nil:
		for _, g := range l.desk.set(n, guests) {
			l.advertise(n, g)
		}
		return nil
	}
	l, err := s.open(ctx, n, guests)
	if err != nil {
		return err
	}
	s.at[n.Key] = l
	return nil
}

// Close ends all answers.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, l := range s.at {
		l.close()
		delete(s.at, key)
	}
	return s.packets.Close()
}

// listener are the sockets of a network, and the desk that answers there.
type listener struct {
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

func (s *Server) open(ctx context.Context, n Network, guests []Guest) (*listener, error) {
	l := &listener{desk: newDesk(s.log), packets: s.packets, bridge: n.Index, log: s.log.With("network", n.Key), stop: make(chan struct{})}
	l.desk.set(n, guests)
	if err := l.listen(ctx, n); err != nil {
		l.close()
		return nil, err
	}
	l.work.Go(l.serve4)
	if l.six != nil {
		l.work.Go(l.serve6)
		l.work.Go(l.serveRouter)
		l.work.Go(l.remind)
	}
	return l, nil
}

func (l *listener) listen(ctx context.Context, n Network) error {
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		return errors.Join(raw.Control(func(fd uintptr) { err = link.BindToLink(int(fd), n.Bridge) }), err)
	}}
	p, err := lc.ListenPacket(ctx, "udp4", "0.0.0.0:67")
	if err != nil {
		return fmt.Errorf("listen for DHCP on %s: %w", n.Bridge, err)
	}
	l.four = p.(*net.UDPConn)
	if !n.Subnet6.IsValid() {
		return nil
	}
	if p, err = lc.ListenPacket(ctx, "udp6", "[::]:547"); err != nil {
		return fmt.Errorf("listen for DHCPv6 on %s: %w", n.Bridge, err)
	}
	l.six = p.(*net.UDPConn)
	bridge := &net.Interface{Index: n.Index, Name: n.Bridge}
	if err := ipv6.NewPacketConn(l.six).JoinGroup(bridge, &net.UDPAddr{IP: net.ParseIP("ff02::1:2")}); err != nil {
		return fmt.Errorf("listen for DHCPv6 on %s: %w", n.Bridge, err)
	}
	if p, err = lc.ListenPacket(ctx, "ip6:58", "::"); err != nil {
		return fmt.Errorf("listen for router solicitations on %s: %w", n.Bridge, err)
	}
	l.icmp = ipv6.NewPacketConn(p)
	var only ipv6.ICMPFilter
	only.SetAll(true)
	only.Accept(ipv6.ICMPTypeRouterSolicitation)
	if err := errors.Join(
		l.icmp.SetICMPFilter(&only),
		l.icmp.SetControlMessage(ipv6.FlagHopLimit, true),
		l.icmp.SetHopLimit(255),
		l.icmp.JoinGroup(bridge, &net.IPAddr{IP: net.IPv6linklocalallrouters}),
	); err != nil {
		return fmt.Errorf("listen for router solicitations on %s: %w", n.Bridge, err)
	}
	return nil
}

// serves says whether the sockets are those for a network.
func (l *listener) serves(n Network) bool {
	return l.bridge == n.Index && (l.six != nil) == n.Subnet6.IsValid()
}

// close ends the answers and waits for those under way.
func (l *listener) close() {
	close(l.stop)
	if l.four != nil {
		l.four.Close()
	}
	if l.six != nil {
		l.six.Close()
	}
	if l.icmp != nil {
		l.icmp.Close()
	}
	l.work.Wait()
}

func (l *listener) serve4() {
	b := make([]byte, maxMessage)
	for {
		n, from, err := l.four.ReadFromUDPAddrPort(b)
		if err != nil {
			if !l.goOn(err) {
				return
			}
			continue
		}
		if packet, to := l.desk.answer4(b[:n], from.Addr()); packet != nil {
			l.failed(l.packets.Send(l.bridge, to, packet))
		}
	}
}

func (l *listener) serve6() {
	b := make([]byte, maxMessage)
	for {
		n, from, err := l.six.ReadFromUDPAddrPort(b)
		if err != nil {
			if !l.goOn(err) {
				return
			}
			continue
		}
		if out := l.desk.answer6(b[:n], from.Addr()); out != nil {
			// The socket knows the link; a client listens at one port.
			_, err := l.six.WriteToUDPAddrPort(out, netip.AddrPortFrom(from.Addr().WithZone(""), 546))
			l.failed(err)
		}
	}
}

func (l *listener) serveRouter() {
	b := make([]byte, maxMessage)
	for {
		n, cm, from, err := l.icmp.ReadFrom(b)
		if err != nil {
			if !l.goOn(err) {
				return
			}
			continue
		}
		a, ok := netip.AddrFromSlice(from.(*net.IPAddr).IP)
		if !ok || cm == nil {
			continue
		}
		if n, g, ok := l.desk.solicited(b[:n], a, cm.HopLimit); ok {
			l.advertise(n, g)
		}
	}
}

// remind tells guests what they were told, from time to time: the first time
// at once, for an earlier daemon may have said something else.
func (l *listener) remind() {
	tick := time.NewTicker(advertiseEvery)
	defer tick.Stop()
	for {
		n, guests := l.desk.guests()
		for _, g := range guests {
			l.advertise(n, g)
		}
		select {
		case <-l.stop:
			return
		case <-tick.C:
		}
	}
}

// advertise tells one guest of its router.
func (l *listener) advertise(n Network, g Guest) {
	if l.icmp == nil {
		return
	}
	b, err := ndp.MarshalMessage(advertisement(n, g))
	if err == nil {
		_, err = l.icmp.WriteTo(b, nil, &net.IPAddr{IP: g.linkLocal().AsSlice()})
	}
	l.failed(err)
}

// failed logs that an answer was not sent. The guest asks again.
func (l *listener) failed(err error) {
	if err != nil && !errors.Is(err, net.ErrClosed) {
		l.log.Debug("guest is not answered", "err", err)
	}
}

// goOn says whether to read again after an error, a moment later.
func (l *listener) goOn(err error) bool {
	if errors.Is(err, net.ErrClosed) {
		return false
	}
	l.log.Warn("questions of guests cannot be read", "err", err)
	select {
	case <-l.stop:
		return false
	case <-time.After(time.Second):
		return true
	}
}
