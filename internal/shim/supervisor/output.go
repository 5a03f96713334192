package supervisor

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/virga-cloud/virga/internal/logs"
	"github.com/virga-cloud/virga/internal/shim/wire"
)

// maxDrain bounds what is taken of a stream before an exit is told: no pipe
// and no terminal holds more.
const maxDrain = 1 << 20

// output copies one stream of a process to its log and its viewers, until all
// who can write to it have closed it.
type output struct {
	p      *process
	stream logs.Stream
	f      *os.File
	raw    syscall.RawConn

	asked chan chan struct{} // a request to drain, with where to say that it is done
	over  chan struct{}      // closed when run has returned

	buf *[]byte
	n   int
	err error
}

// buffers are shared: a stream holds one only while it has something to copy.
var buffers = sync.Pool{New: func() any { b := make([]byte, wire.MaxData); return &b }}

func newOutput(p *process, s source) (*output, error) {
	raw, err := s.f.SyscallConn()
	if err != nil {
		return nil, err
	}
	return &output{
		p: p, stream: s.stream, f: s.f, raw: raw,
		asked: make(chan chan struct{}, 1), over: make(chan struct{}),
	}, nil
}

func (o *output) run() {
	defer close(o.over)
	ready := o.read
	for {
		err := o.raw.Read(ready)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			if !o.rest() {
				return
			}
			continue
		}
		if err != nil || !o.deliver() {
			return
		}
	}
}

// read is called when the stream may be readable, and says whether it was.
func (o *output) read(fd uintptr) bool {
	o.buf = buffers.Get().(*[]byte)
	for {
		o.n, o.err = syscall.Read(int(fd), *o.buf)
		if o.err != syscall.EINTR {
			break
		}
	}
	if o.err == syscall.EAGAIN {
		buffers.Put(o.buf)
		o.buf = nil
		return false
	}
	return true
}

// deliver hands on what was read. It says whether more can come: a terminal
// whose last user has gone fails with EIO.
func (o *output) deliver() bool {
	more := o.err == nil && o.n > 0
	if more {
		o.p.emit(o.stream, (*o.buf)[:o.n])
	}
	buffers.Put(o.buf)
	o.buf = nil
	return more
}

// rest takes what is in the stream now, and answers the request to do so.
func (o *output) rest() (more bool) {
	done := <-o.asked
	defer close(done)
	more = true
	err := o.raw.Control(func(fd uintptr) {
		for taken := 0; taken < maxDrain && more && o.read(fd); {
			taken += max(o.n, 0)
			more = o.deliver()
		}
	})
	_ = o.f.SetReadDeadline(time.Time{})
	return more && err == nil
}

// drain returns when all that was in the stream at the call has been handed on.
func (o *output) drain() {
	done := make(chan struct{})
	o.asked <- done
	_ = o.f.SetReadDeadline(time.Unix(1, 0))
	select {
	case <-done:
	case <-o.over:
	}
}

// emit logs a piece of output and sends it to the viewers.
func (p *process) emit(s logs.Stream, b []byte) {
	if p.log != nil {
		// A full disk loses lines; the workload goes on.
		_ = p.log.Write(s, time.Now(), b)
	}
	kind := wire.KindStdout
	if s == logs.Stderr {
		kind = wire.KindStderr
	}
	p.mu.Lock()
	viewers := p.viewers
	p.mu.Unlock()
	for _, v := range viewers {
		if v.out.Put(kind, b) != nil {
			v.conn.Shutdown()
		}
	}
}
