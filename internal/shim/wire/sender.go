package wire

import (
	"errors"
	"io"
	"sync"
	"time"
)

// ErrStalled is why a connection was given up whose other end does not read.
var ErrStalled = errors.New("the other end does not read")

// ErrClosed is returned for what was put on a closed connection.
var ErrClosed = errors.New("connection is closed")

// Sender queues frames for a connection and writes them from one goroutine, so
// that nobody who sends waits for the other end longer than a bounded time.
type Sender struct {
	w     io.Writer
	limit int
	stall time.Duration

	mu      sync.Mutex
	queue   []byte
	spare   []byte
	closing bool
	err     error

	more  chan struct{} // queue is not empty, or closing
	room  chan struct{} // closed and replaced when the queue was taken
	ended chan struct{}
}

// NewSender returns a sender whose Run the caller starts. A queue holds limit
// bytes; Put waits for room at most for stall. A limit of 0 is none.
func NewSender(w io.Writer, limit int, stall time.Duration) *Sender {
	return &Sender{
		w: w, limit: limit, stall: stall,
		more: make(chan struct{}, 1), room: make(chan struct{}), ended: make(chan struct{}),
	}
}

// Run writes until Finish was called and the queue is empty, or a write fails.
func (s *Sender) Run() error {
	defer close(s.ended)
	for {
		s.mu.Lock()
		b := s.queue
		s.queue, s.spare = s.spare, nil
		closing, err := s.closing, s.err
		close(s.room)
		s.room = make(chan struct{})
		s.mu.Unlock()
		if err != nil {
			return err
		}
		if len(b) == 0 {
			if closing {
				return nil
			}
			<-s.more
			continue
		}
		if _, err := s.w.Write(b); err != nil {
			s.Fail(err)
			return err
		}
		s.mu.Lock()
		if cap(b) <= 4<<10 && s.spare == nil {
			s.spare = b[:0]
		}
		s.mu.Unlock()
	}
}

// Put queues one frame. It returns ErrStalled when there was no room for the
// whole time.
func (s *Sender) Put(k Kind, body []byte) error {
	var timeout <-chan time.Time
	for {
		s.mu.Lock()
		if s.err != nil || s.closing {
			s.mu.Unlock()
			return ErrClosed
		}
		if s.limit == 0 || len(s.queue) == 0 || len(s.queue)+len(body)+Header <= s.limit {
			start := len(s.queue)
			s.queue = Finish(append(Begin(s.queue, k), body...), start)
			s.mu.Unlock()
			s.wake()
			return nil
		}
		room := s.room
		s.mu.Unlock()
		if timeout == nil {
			timer := time.NewTimer(s.stall)
			defer timer.Stop()
			timeout = timer.C
		}
		select {
		case <-room:
		case <-s.ended:
			return ErrClosed
		case <-timeout:
			s.Fail(ErrStalled)
			return ErrStalled
		}
	}
}

// Finish makes Run return when all that was put is written.
func (s *Sender) Finish() {
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	s.wake()
}

// Fail makes Run return as soon as its current write has.
func (s *Sender) Fail(err error) {
	s.mu.Lock()
	if s.err == nil {
		s.err = err
	}
	s.queue = nil
	s.mu.Unlock()
	s.wake()
}

func (s *Sender) wake() {
	select {
	case s.more <- struct{}{}:
	default:
	}
}
