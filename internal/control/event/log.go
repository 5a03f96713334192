package event

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/virga-cloud/virga/api"
)

// Kept is how many events are kept; older ones are forgotten.
const Kept = 8192

// maxLine bounds one event in the file.
const maxLine = 1 << 20

// Log is the stream of events. Its methods may be called concurrently.
type Log struct {
	log  *slog.Logger
	path string // of the file, "" for none

	mu      sync.Mutex
	events  []api.Event   // +checklocks:mu oldest first, at most 2 × Kept
	last    int64         // +checklocks:mu Seq of the newest
	more    chan struct{} // +checklocks:mu closed by the next Append or by Close
	closed  bool          // +checklocks:mu
	writing sync.WaitGroup
}

// Open reads the log kept in dir, which it makes; with dir "" the log is in
// memory only. A torn or foreign line is skipped.
func Open(dir string, log *slog.Logger) (*Log, error) {
	l := &Log{log: log, more: make(chan struct{})}
	if dir == "" {
		return l, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the events' directory: %w", err)
	}
	l.path = filepath.Join(dir, "events.jsonl")
	if err := l.read(); err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	f, err := l.rewrite()
	if err != nil {
		return nil, fmt.Errorf("write events: %w", err)
	}
	seq := l.last
	l.writing.Go(func() { l.write(f, seq) })
	return l, nil
}

// maxSeq is beyond what any node counts; a larger number in the file is damage.
const maxSeq = 1 << 53

// read fills events from the file.
func (l *Log) read() error {
	f, err := os.Open(l.path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var e api.Event
		if json.Unmarshal(lines.Bytes(), &e) != nil || e.Seq <= l.last || e.Seq > maxSeq {
			continue
		}
		l.keep(e)
	}
	if err := lines.Err(); err != nil && err != bufio.ErrTooLong {
		return err
	}
	return nil
}

// keep appends e, whose Seq is set.
func (l *Log) keep(e api.Event) {
	if len(l.events) == 2*Kept {
		l.events = append(make([]api.Event, 0, 2*Kept), l.events[Kept:]...)
	}
	l.events = append(l.events, e)
	l.last = e.Seq
}

// Append adds an event and numbers it; a zero Time is now. It does not block.
func (l *Log) Append(e api.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	e.Seq = l.last + 1
	l.keep(e)
	close(l.more)
	l.more = make(chan struct{})
}

// After returns the kept events that follow seq, oldest first, and a channel
// that is closed when there are more, nil when the log is closed.
func (l *Log) After(seq int64) ([]api.Event, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := l.events[max(0, len(l.events)-Kept):]
	n := min(l.last-seq, int64(len(kept)))
	if n < 0 {
		n = int64(len(kept)) // of a log that was lost: start over
	}
	// The array is only appended to, never written again: see keep.
	after := kept[int64(len(kept))-n:]
	if l.closed {
		return after, nil
	}
	return after, l.more
}

// Last is the number of the newest event, 0 without any.
func (l *Log) Last() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// Follow yields the events that follow seq until ctx ends or the log is
// closed. A reader that falls more than Kept behind misses some: it sees a gap
// in their numbers.
func (l *Log) Follow(ctx context.Context, seq int64) iter.Seq[api.Event] {
	return func(yield func(api.Event) bool) {
		for {
			events, more := l.After(seq)
			for _, e := range events {
				if !yield(e) {
					return
				}
				seq = e.Seq
			}
			if more == nil {
				return
			}
			select {
			case <-more:
			case <-ctx.Done():
				return
			}
		}
	}
}

// Close ends every Follow and writes what is not yet in the file.
func (l *Log) Close() error {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.more)
	}
	l.mu.Unlock()
	l.writing.Wait()
	return nil
}

// write appends the events after seq to the file until the log is closed.
func (l *Log) write(f *os.File, seq int64) {
	defer func() { _ = f.Close() }()
	lines := 0
	for e := range l.Follow(context.Background(), seq) {
		b, err := json.Marshal(e)
		if err == nil {
			_, err = f.Write(append(b, '\n'))
		}
		if err != nil {
			l.log.Error("event not written", "seq", e.Seq, "err", err)
		}
		if lines++; lines < Kept {
			continue
		}
		lines = 0
		next, err := l.rewrite()
		if err != nil {
			l.log.Error("events not compacted", "err", err)
			continue
		}
		_ = f.Close()
		f = next
	}
}

// rewrite replaces the file by one that has just the kept events and returns
// it, open for the next ones.
func (l *Log) rewrite() (*os.File, error) {
	events, _ := l.After(0)
	f, err := os.OpenFile(l.path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	if err := encode(f, events); err != nil {
		_ = f.Close()
		return nil, err
	}
	if err := os.Rename(f.Name(), l.path); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func encode(w io.Writer, events []api.Event) error {
	b := bufio.NewWriter(w)
	enc := json.NewEncoder(b)
	for _, e := range events {
		if err := enc.Encode(e); err != nil {
			return err
		}
	}
	return b.Flush()
}
