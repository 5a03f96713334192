package network

import (
	"log/slog"
	"sync"

	"github.com/virga-cloud/virga/internal/linux/link"
)

// labels writes the ids of instances on their links as aliases, for whoever
// lists links. It does so behind the start of the instance, because a change
// of a link waits whenever the kernel takes another one apart. Nothing depends
// on a label: an instance's links are found by its process.
type labels struct {
	conn *link.Conn
	log  *slog.Logger
	wake chan struct{} // room for one
	stop chan struct{}
	done sync.WaitGroup

	mu   sync.Mutex
	todo []link.Request // +checklocks:mu
}

func newLabels(log *slog.Logger) (*labels, error) {
	c, err := link.Open(nil)
	if err != nil {
		return nil, err
	}
	l := &labels{conn: c, log: log, wake: make(chan struct{}, 1), stop: make(chan struct{})}
	l.done.Go(l.run)
	return l, nil
}

// set asks for labels; it does not wait.
func (l *labels) set(instance string, ports []port) {
	var reqs []link.Request
	for _, p := range ports {
		reqs = append(reqs, link.SetAlias(p.link, instance))
	}
	l.later(reqs...)
}

// later has changes of links made soon, in order; it does not wait.
func (l *labels) later(reqs ...link.Request) {
	l.mu.Lock()
	l.todo = append(l.todo, reqs...)
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run writes labels until close, and what is left then.
func (l *labels) run() {
	for {
		select {
		case <-l.stop:
			l.write()
			return
		case <-l.wake:
			l.write()
		}
	}
}

func (l *labels) write() {
	l.mu.Lock()
	todo := l.todo
	l.todo = nil
	l.mu.Unlock()
	if len(todo) == 0 {
		return
	}
	if err := l.conn.Do(todo...); err != nil {
		l.log.Warn("links are not labelled", "err", err)
	}
}

func (l *labels) close() {
	close(l.stop)
	l.done.Wait()
	l.conn.Close()
}
