package supervisor

import (
	"context"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"
)

// early is the exit of a process that is not known yet: its start has not
// returned, or it is an orphan that fell to the supervisor.
type early struct {
	status uint32
	tick   uint64
}

// reap collects every child that ends, until ctx does.
func (s *Supervisor) reap(ctx context.Context) {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, unix.SIGCHLD)
	defer signal.Stop(ended)
	for {
		for s.reapOne() {
		}
		select {
		case <-ended:
		case <-ctx.Done():
			return
		}
	}
}

func (s *Supervisor) reapOne() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	var status unix.WaitStatus
	pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
	if err == unix.EINTR {
		return true
	}
	if err != nil || pid <= 0 {
		return false
	}
	if p := s.byPID[pid]; p != nil {
		delete(s.byPID, pid)
		s.exited(p, uint32(status))
		return true
	}
	if len(s.starting) > 0 {
		s.tick++
		s.early[pid] = early{uint32(status), s.tick}
	}
	return true
}

// exited is told of the end of p and holds mu. The end is reported when the
// output written before it has been taken.
func (s *Supervisor) exited(p *process, status uint32) {
	finished := time.Now()
	s.wg.Go(func() {
		for _, o := range p.outputs {
			o.drain()
		}
		s.mu.Lock()
		p.state.Ended, p.state.Status, p.state.Finished = true, status, finished
		state := p.state
		s.mu.Unlock()
		p.finish(state, nil)
		s.mu.Lock()
		for c := range s.watchers {
			c.exit(state)
		}
		s.mu.Unlock()
	})
}
