package supervisor

import (
	"sync"
	"syscall"

	"github.com/virga-cloud/virga/internal/shim/wire"
)

// control is a connection that makes requests and hears of exits.
type control struct {
	conn *wire.Conn
	out  *wire.Sender
	jobs sync.WaitGroup
}

// control serves one control connection until it ends.
func (s *Supervisor) control(conn *wire.Conn) {
	// What it holds is bounded by the number of processes and of requests.
	c := &control{conn: conn, out: wire.NewSender(conn, 0, 0)}
	c.jobs.Go(func() {
		if c.out.Run() != nil {
			conn.Shutdown()
		}
	})
	s.greet(c)
	conn.ExpectFiles()
	var buf []byte
	for {
		kind, body, next, err := wire.ReadFrame(conn, buf, wire.MaxFrame)
		if err != nil || !s.request(c, kind, body) {
			break
		}
		// A large program must not stay in memory.
		if buf = next; cap(buf) > 4<<10 {
			buf = nil
		}
	}
	conn.CloseFiles()
	s.mu.Lock()
	delete(s.watchers, c)
	stopping := s.stopping
	s.mu.Unlock()
	c.out.Finish()
	if !stopping {
		conn.Shutdown()
	}
	c.jobs.Wait()
	if stopping {
		s.stop()
	}
}

// greet tells a new connection who serves it and which ended processes are not
// yet forgotten; from then on it hears of each exit.
func (s *Supervisor) greet(c *control) {
	info := s.info()
	var e wire.Encoder
	info.Encode(&e)
	_ = c.out.Put(wire.KindHello, e.B)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.processes {
		if p.state.Ended {
			c.exit(p.state)
		}
	}
	s.watchers[c] = true
}

func (c *control) exit(p wire.Process) {
	var e wire.Encoder
	p.Encode(&e)
	_ = c.out.Put(wire.KindExit, e.B)
}

// request handles one frame and says whether the connection goes on.
func (s *Supervisor) request(c *control, kind wire.Kind, body []byte) bool {
	d := wire.Decoder{B: body}
	seq := d.Uint(1 << 62)
	var reply wire.Encoder
	reply.Uint(seq)
	if kind == wire.KindStart {
		return s.requestStart(c, &d, reply)
	}
	id := ""
	if kind != wire.KindList && kind != wire.KindForgetAll && kind != wire.KindStop {
		id = d.String()
	}
	var err error
	var ps []wire.Process
	switch kind {
	case wire.KindSignal:
		if sig := d.Uint(64); d.Err() == nil {
			err = s.signal(id, syscall.Signal(sig))
		}
	case wire.KindKill:
		err = s.kill(id)
	case wire.KindResize:
		if w, h := d.Uint(1<<16-1), d.Uint(1<<16-1); d.Err() == nil {
			err = s.resize(id, uint16(w), uint16(h))
		}
	case wire.KindForget:
		err = s.forget(id)
	case wire.KindForgetAll:
		s.forgetAll()
	case wire.KindList:
		ps = s.list()
	case wire.KindStop:
		err = s.quit()
	default:
		return false
	}
	if d.Err() != nil {
		return false
	}
	wire.EncodeError(&reply, err)
	wire.EncodeProcesses(&reply, ps)
	_ = c.out.Put(wire.KindReply, reply.B)
	return kind != wire.KindStop || err != nil
}

// requestStart starts a process beside other requests.
func (s *Supervisor) requestStart(c *control, d *wire.Decoder, reply wire.Encoder) bool {
	start, err := wire.DecodeStart(d)
	if err != nil {
		return false
	}
	files, err := c.conn.TakeFiles(ownFiles(start))
	if err != nil {
		return false
	}
	c.jobs.Go(func() {
		s.slots <- struct{}{}
		defer func() { <-s.slots }()
		p, err := s.start(start, files)
		closeAll(files)
		wire.EncodeError(&reply, err)
		wire.EncodeProcesses(&reply, p)
		_ = c.out.Put(wire.KindReply, reply.B)
	})
	return true
}
