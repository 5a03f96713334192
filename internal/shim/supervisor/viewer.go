package supervisor

import (
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/internal/logs"
	"github.com/virga-cloud/virga/internal/shim/wire"
)

// A viewer that does not read holds the workload up for at most viewerStall,
// and is dropped then.
const (
	viewerQueue = 256 << 10
	viewerStall = 10 * time.Second
)

// viewer is a client attached to the streams of a process.
type viewer struct {
	conn  *wire.Conn
	out   *wire.Sender
	bound chan struct{} // closed when p is known
	p     *process      // set before bound is closed
}

// attach serves an attached client until it leaves or the process has ended.
// It may come before the start, and misses nothing then.
func (s *Supervisor) attach(conn *wire.Conn, id string, buf []byte) {
	v := &viewer{
		conn: conn, out: wire.NewSender(conn, viewerQueue, viewerStall), bound: make(chan struct{}),
	}
	_ = v.out.Put(wire.KindReady, nil)
	if !s.admit(v, id) {
		return
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		_ = v.out.Run()
		// Both ends now see the end; what was written is still delivered.
		conn.Shutdown()
	}()
	s.listen(v, buf)
	s.leave(v, id)
	v.out.Fail(wire.ErrClosed)
	conn.Shutdown()
	<-written
}

// admit adds v to the process or to those that wait for it.
func (s *Supervisor) admit(v *viewer, id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return false
	}
	if p := s.processes[id]; p != nil {
		p.add(v)
		return true
	}
	s.waiting[id] = append(s.waiting[id], v)
	return true
}

// add is called with Supervisor.mu held.
func (p *process) add(v *viewer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v.p = p
	close(v.bound)
	if p.over {
		v.end(p.state, nil)
		return
	}
	p.viewers = append(slices.Clip(p.viewers), v)
}

func (v *viewer) end(state wire.Process, err error) {
	var e wire.Encoder
	wire.EncodeError(&e, err)
	state.Encode(&e)
	_ = v.out.Put(wire.KindEnd, e.B)
	v.out.Finish()
}

// listen handles the client's frames until it leaves.
func (s *Supervisor) listen(v *viewer, buf []byte) {
	for {
		kind, body, next, err := wire.ReadFrame(v.conn, buf, wire.MaxData)
		if err != nil || !v.await() {
			return
		}
		buf = next
		s.handle(v.p, kind, body, v.gone)
	}
}

// await waits for the process's streams while the client is there: what it
// sends before the start stays in the socket.
func (v *viewer) await() bool {
	select {
	case <-v.bound:
		<-v.p.ready
		return v.p.stdio != nil
	default:
	}
	look := time.NewTicker(patience)
	defer look.Stop()
	for {
		select {
		case <-v.bound:
			<-v.p.ready
			return v.p.stdio != nil
		case <-look.C:
			if v.gone() {
				return false
			}
		}
	}
}

func (s *Supervisor) handle(p *process, kind wire.Kind, body []byte, gone func() bool) {
	d := wire.Decoder{B: body}
	switch kind {
	case wire.KindStdin:
		p.stdio.input(body, gone)
	case wire.KindCloseStdin:
		if p.stdinOnce {
			p.stdio.closeStdin()
		}
	case wire.KindResize:
		if w, h := d.Uint(1<<16-1), d.Uint(1<<16-1); d.Err() == nil {
			_ = p.resize(uint16(w), uint16(h))
		}
	case wire.KindSignal:
		if sig := d.Uint(64); d.Err() == nil {
			_ = s.signal(p.id, syscall.Signal(sig))
		}
	}
}

// leave removes v, and does what the process asked for when clients leave.
func (s *Supervisor) leave(v *viewer, id string) {
	s.mu.Lock()
	if v.p == nil {
		s.waiting[id] = slices.DeleteFunc(s.waiting[id], func(o *viewer) bool { return o == v })
		if len(s.waiting[id]) == 0 {
			delete(s.waiting, id)
		}
	}
	p := v.p
	s.mu.Unlock()
	if p == nil {
		return
	}
	p.mu.Lock()
	p.viewers = slices.DeleteFunc(slices.Clone(p.viewers), func(o *viewer) bool { return o == v })
	p.left = p.killOnClose && len(p.viewers) == 0
	kill := p.left && !p.over
	p.mu.Unlock()
	if kill {
		_ = s.kill(id)
	}
	if <-p.ready; p.stdinOnce && p.stdio != nil {
		p.stdio.closeStdin()
	}
}

// gone says whether the client has hung up.
func (v *viewer) gone() (gone bool) {
	err := v.conn.Control(func(fd uintptr) {
		set := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		n, err := unix.Poll(set, 0)
		gone = err == nil && n > 0
	})
	return gone || err != nil
}

// finish ends the streams: partial lines are logged, and viewers are told the
// end after everything that was written before.
func (p *process) finish(state wire.Process, err error) {
	if p.log != nil {
		_ = p.log.Flush(logs.Stdout, time.Now())
		_ = p.log.Flush(logs.Stderr, time.Now())
	}
	if p.stdio != nil {
		p.stdio.closeStdin()
	}
	p.mu.Lock()
	p.over = true
	viewers := p.viewers
	p.viewers = nil
	p.mu.Unlock()
	for _, v := range viewers {
		v.end(state, err)
	}
}
