package dns

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	wire "codeberg.org/miekg/dns"

	"github.com/virga-cloud/virga/internal/linux/datagram"
	"github.com/virga-cloud/virga/internal/linux/link"
)

const (
	maxForwards    = 512 // queries waiting for other name servers
	maxConnections = 256 // TCP clients
	idleTimeout    = 10 * time.Second
	batchSize      = 64      // datagrams answered at a time
	receiveBuffer  = 1 << 20 // bytes; the kernel may allow less
	maxQuery       = 4096    // bytes; what is cut off makes a query malformed
)

// Config is what a Server needs.
type Config struct {
	Domain     string // ends the full names of instances, such as "virga.internal"
	Project    string // whose names a client that is no instance sees
	ResolvConf string // path of the file with the node's name servers
	Pending    bool   // queries wait for Begin
	Log        *slog.Logger
}

// Server answers at the gateways of networks. Its methods may be called
// concurrently.
type Server struct {
	*Zone
	config  Config
	forward *forwarder

	ctx    context.Context // ends forwards when the server closes
	cancel context.CancelFunc
	work   sync.WaitGroup
	slots  chan struct{} // one for each forward
	conns  chan struct{} // one for each TCP client
	begun  chan struct{} // closed by Begin

	listening sync.Mutex
	at        map[string][]*listener // +checklocks:listening; by network, one for each gateway
}

// listener are the sockets at one gateway.
type listener struct {
	addr netip.Addr
	udp  *net.UDPConn
	tcp  net.Listener
}

// NewServer makes a server that listens nowhere yet.
func NewServer(c Config) *Server {
	s := &Server{
		Zone: NewZone(c.Domain), config: c, at: map[string][]*listener{},
		slots: make(chan struct{}, maxForwards), conns: make(chan struct{}, maxConnections), begun: make(chan struct{}),
	}
	if !c.Pending {
		close(s.begun)
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.forward = &forwarder{conf: &resolvConf{path: c.ResolvConf}, own: s.own}
	return s
}

// Listen answers on a network at its gateways, which need not be up yet. A
// gateway is the node's address with the length of its subnet. A network
// listened on at the first already stays as it is. Of the others one may be
// another program's: At says where queries are answered.
func (s *Server) Listen(ctx context.Context, network string, gateways ...netip.Prefix) error {
	s.listening.Lock()
	defer s.listening.Unlock()
	s.addNetwork(network, gateways...)
	gateway := gateways[0].Addr()
	if all := s.at[network]; len(all) > 0 {
		if all[0].addr == gateway {
			return nil
		}
		s.hangUp(network)
	}
	for i, g := range gateways {
		l, err := listen(ctx, g.Addr())
		if err != nil {
			if i == 0 {
				return fmt.Errorf("name server of network %s: %w", network, err)
			}
			s.config.Log.Warn("queries are not answered at every gateway", "network", network, "gateway", g.Addr(), "err", err)
			continue
		}
		s.at[network] = append(s.at[network], l)
		s.work.Go(func() { s.onceBegun(func() { s.serveUDP(network, l.udp) }) })
		s.work.Go(func() { s.onceBegun(func() { s.serveTCP(network, l.tcp) }) })
	}
	return nil
}

// Begin has a Server answer that is pending. Until it is called the kernel keeps
// the queries: one who does not know yet all that there is must not say that
// something does not exist. It is called once.
func (s *Server) Begin() { close(s.begun) }

func (s *Server) onceBegun(serve func()) {
	select {
	case <-s.begun:
		serve()
	case <-s.ctx.Done():
	}
}

// At is where queries are answered on a network.
func (s *Server) At(network string) []netip.Addr {
	s.listening.Lock()
	defer s.listening.Unlock()
	var out []netip.Addr
	for _, l := range s.at[network] {
		out = append(out, l.addr)
	}
	return out
}

// hangUp closes the sockets of a network.
//
// +checklocks:s.listening
func (s *Server) hangUp(network string) {
	for _, l := range s.at[network] {
		l.close()
	}
	delete(s.at, network)
}

// Unlisten ends the answers on a network. Idempotent.
func (s *Server) Unlisten(network string) {
	s.listening.Lock()
	defer s.listening.Unlock()
	s.removeNetwork(network)
	s.hangUp(network)
}

// Close ends all answers and waits for what is under way.
func (s *Server) Close() error {
	s.listening.Lock()
	for network := range s.at {
		s.hangUp(network)
	}
	s.listening.Unlock()
	s.cancel()
	s.work.Wait()
	return nil
}

func listen(ctx context.Context, addr netip.Addr) (*listener, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		return errors.Join(c.Control(func(fd uintptr) { err = link.FreeBind(int(fd)) }), err)
	}}
	at := netip.AddrPortFrom(addr, 53).String()
	u, err := lc.ListenPacket(ctx, "udp", at)
	if err != nil {
		return nil, err
	}
	if err := u.(*net.UDPConn).SetReadBuffer(receiveBuffer); err != nil {
		return nil, errors.Join(err, u.Close())
	}
	t, err := lc.Listen(ctx, "tcp", at)
	if err != nil {
		return nil, errors.Join(err, u.Close())
	}
	return &listener{addr: addr, udp: u.(*net.UDPConn), tcp: t}, nil
}

func (l *listener) close() {
	l.udp.Close()
	l.tcp.Close()
}

// own says whether this server listens at a.
func (s *Server) own(a netip.Addr) bool {
	s.listening.Lock()
	defer s.listening.Unlock()
	for _, all := range s.at {
		if slices.ContainsFunc(all, func(l *listener) bool { return l.addr == a }) {
			return true
		}
	}
	return false
}

// serveUDP answers datagrams until the socket is closed: as many at a time as
// have come.
func (s *Server) serveUDP(network string, c *net.UDPConn) {
	batch, err := datagram.New(c, batchSize, maxQuery, maxUDP)
	if err != nil {
		s.config.Log.Error("name server cannot receive", "network", network, "err", err)
		return
	}
	known := newAnswers()
	for {
		n, err := batch.Receive()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		known.at(s.version.Load())
		for i := range n {
			s.serveDatagram(network, c, batch, i, known)
		}
		if err := batch.Send(); err != nil && !errors.Is(err, net.ErrClosed) {
			s.config.Log.Debug("replies cannot be sent", "network", network, "err", err)
		}
	}
}

// serveDatagram answers one datagram of a batch at once when it can, and has
// the others answered elsewhere.
func (s *Server) serveDatagram(network string, c *net.UDPConn, batch *datagram.Batch, i int, known *answers) {
	b, from := batch.Datagram(i), batch.From(i)
	client := from.Addr()
	if n := known.copy(batch.Room(), client, b); n > 0 {
		batch.Reply(i, n)
		return
	}
	q := parse(b)
	if q == nil {
		return
	}
	v := s.view(client, network, s.config.Project)
	if m := s.answer(v, q); m != nil {
		out, err := pack(m, udpLimit(q))
		if err != nil {
			s.config.Log.Debug("reply cannot be encoded", "err", err)
			return
		}
		known.remember(client, b, out, q)
		batch.Reply(i, copy(batch.Room(), out))
		return
	}
	if n := s.forward.remembered(batch.Room()[:udpLimit(q)], v, q, b); n > 0 {
		batch.Reply(i, n)
		return
	}
	q.Data = nil // the buffer is about to be used again
	s.elsewhere(func() { s.sendUDP(c, from, q, s.forward.ask(s.ctx, v, q, false)) },
		func() { s.sendUDP(c, from, q, reply(q, wire.RcodeServerFailure)) })
}

func (s *Server) sendUDP(c *net.UDPConn, to netip.AddrPort, q, m *wire.Msg) {
	b, err := pack(m, udpLimit(q))
	if err != nil {
		s.config.Log.Debug("reply cannot be encoded", "err", err)
		return
	}
	if _, err := c.WriteToUDPAddrPort(b, to); err != nil && !errors.Is(err, net.ErrClosed) {
		s.config.Log.Debug("reply cannot be sent", "to", to, "err", err)
	}
}

// elsewhere runs f on a goroutine, or full here when too many run.
func (s *Server) elsewhere(f, full func()) {
	select {
	case s.slots <- struct{}{}:
	default:
		full()
		return
	}
	s.work.Go(func() {
		defer func() { <-s.slots }()
		f()
	})
}

// serveTCP accepts clients until the listener is closed.
func (s *Server) serveTCP(network string, l net.Listener) {
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		select {
		case s.conns <- struct{}{}:
		default:
			c.Close()
			continue
		}
		s.work.Go(func() {
			defer func() { <-s.conns }()
			s.serveConn(network, c)
		})
	}
}

// serveConn answers one client, a query at a time, until it is silent.
func (s *Server) serveConn(network string, c net.Conn) {
	defer c.Close()
	stop := context.AfterFunc(s.ctx, func() { c.Close() })
	defer stop()
	from, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return
	}
	client := from.AddrPort().Addr().Unmap()
	room := make([]byte, maxUDP) // for what is remembered
	for {
		if c.SetDeadline(time.Now().Add(idleTimeout)) != nil {
			return
		}
		b, err := readFrame(c)
		if err != nil {
			return
		}
		q := parse(b)
		if q == nil {
			return
		}
		v := s.view(client, network, s.config.Project)
		m := s.answer(v, q)
		if m == nil {
			if n := s.forward.remembered(room, v, q, b); n > 0 {
				if writeFrame(c, room[:n]) != nil {
					return
				}
				continue
			}
			m = s.forward.ask(s.ctx, v, q, true)
		}
		if b, err = pack(m, wire.MaxMsgSize); err != nil || writeFrame(c, b) != nil {
			return
		}
	}
}
