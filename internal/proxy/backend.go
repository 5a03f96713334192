package proxy

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// maxIdle connections to a backend are kept, for maxIdleAge: less than the
	// time after which common servers close theirs.
	maxIdle    = 256
	maxIdleAge = 30 * time.Second
	// firstEjection doubles with each ejection up to longestEjection.
	firstEjection   = 5 * time.Second
	longestEjection = 5 * time.Minute
)

// backend is what is known of one backend over time.
type backend struct {
	id     string
	addr   string
	since  time.Time
	weight atomic.Int64
	closed atomic.Bool // to new requests: down or draining
	drains atomic.Bool

	outstanding atomic.Int64
	failures    atomic.Int64 // in a row
	ejections   atomic.Int64
	ejectedTill atomic.Int64 // unix nanoseconds

	mu   sync.Mutex
	idle []*stream // +checklocks:mu the last one is the warmest
	gone bool      // +checklocks:mu no longer in the configuration
}

// take returns a connection, and whether it was used before. sure asks for one
// that is known to be open, for a request that must not be repeated.
func (b *backend) take(ctx context.Context, now time.Time, timeout time.Duration, sure bool) (*stream, bool, error) {
	for {
		b.mu.Lock()
		n := len(b.idle)
		if n == 0 {
			b.mu.Unlock()
			break
		}
		c := b.idle[n-1]
		b.idle[n-1] = nil
		b.idle = b.idle[:n-1]
		b.mu.Unlock()
		if now.Sub(c.since) < maxIdleAge && len(c.buffered()) == 0 && (!sure || alive(c)) {
			return c, true, nil
		}
		c.Close()
	}
	s, err := b.dial(ctx, timeout)
	return s, false, err
}

func (b *backend) dial(ctx context.Context, timeout time.Duration) (*stream, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", b.addr)
	if err != nil {
		return nil, err
	}
	return newStream(c), nil
}

// give keeps a connection that is good for another request.
func (b *backend) give(s *stream, now time.Time) {
	b.mu.Lock()
	keep := !b.gone && len(b.idle) < maxIdle
	if keep {
		s.since = now
		b.idle = append(b.idle, s)
	}
	b.mu.Unlock()
	if !keep {
		s.Close()
	}
}

// retire closes the idle connections of a backend that left.
func (b *backend) retire() {
	b.mu.Lock()
	idle := b.idle
	b.idle, b.gone = nil, true
	b.mu.Unlock()
	for _, c := range idle {
		c.Close()
	}
}

// alive reports whether an idle connection is still open: nothing to read, no
// end. It costs a system call, and is asked before a request that must not be
// repeated.
func alive(s *stream) bool {
	c, ok := s.Conn.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	open := false
	err = raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, _, e := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		open = e == syscall.EAGAIN
		return true
	})
	return err == nil && open
}

// succeeded and failed keep the count of failures in a row, by which a backend
// is left alone for a while.
func (b *backend) succeeded() {
	if b.failures.Load() != 0 {
		b.failures.Store(0)
		b.ejections.Store(0)
	}
}

func (b *backend) failed(now time.Time, after int) {
	if n := b.failures.Add(1); after < 0 || n < int64(after) {
		return
	}
	b.failures.Store(0)
	times := b.ejections.Add(1)
	for_ := min(firstEjection<<min(times-1, 10), longestEjection)
	b.ejectedTill.Store(now.Add(for_).UnixNano())
}

func (b *backend) ejected(now time.Time) bool {
	till := b.ejectedTill.Load()
	return till != 0 && now.UnixNano() < till
}

// share is the weight that counts now: during a slow start a part of it.
func (b *backend) share(now time.Time, slow time.Duration) float64 {
	w := max(float64(b.weight.Load()), 1e-6)
	if age := now.Sub(b.since); slow > 0 && age < slow {
		w *= max(float64(age)/float64(slow), 0.05)
	}
	return w
}
