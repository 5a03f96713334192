package supervisor

import (
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/internal/linux/launch"
	"github.com/virga-cloud/virga/internal/logs"
	"github.com/virga-cloud/virga/internal/shim/wire"
)

// process is one that runs, or has ended and is not forgotten.
type process struct {
	state wire.Process // guarded by Supervisor.mu
	id    string

	stdinOnce   bool
	killOnClose bool
	log         *logs.Writer // or nil
	stdio       *stdio
	outputs     []*output
	ready       chan struct{} // closed when stdio and outputs are set, or the start has failed

	mu      sync.Mutex
	viewers []*viewer // guarded by mu
	over    bool      // no viewer is taken any more; guarded by mu
	left    bool      // the last viewer has left and took the process with it; guarded by mu
}

func pid() int { return os.Getpid() }

// ownFiles is how many files of the client's come with a start.
func ownFiles(start *wire.Start) int { return max(0, start.Program.Files-launch.OwnFiles) }

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// start runs a process; it returns it as a list of one. A failure leaves
// nothing behind, and those who wait for its streams are told.
func (s *Supervisor) start(start *wire.Start, files []int) ([]wire.Process, error) {
	p := &process{
		id: start.ID, state: wire.Process{ID: start.ID},
		stdinOnce: start.StdinOnce, killOnClose: start.KillOnClose, ready: make(chan struct{}),
	}
	if err := s.reserve(p); err != nil {
		return nil, err
	}
	err := p.open(start)
	close(p.ready)
	pid := 0
	if err == nil {
		pid, err = launch.Run(start.Program, append(p.stdio.child[:], files...))
	}
	if err != nil {
		s.abandon(p, err)
		return nil, err
	}
	p.stdio.closeChild()
	for _, o := range p.outputs {
		go o.run()
	}
	return []wire.Process{s.register(p, pid)}, nil
}

// open opens the log and the streams.
func (p *process) open(start *wire.Start) error {
	if start.Program.Files < launch.OwnFiles {
		return fmt.Errorf("program takes no standard streams")
	}
	if start.Log != "" {
		log, err := logs.NewWriter(logs.Config{Path: start.Log, Size: start.LogSize, Files: start.LogFiles})
		if err != nil {
			return err
		}
		p.log = log
	}
	io, err := openStdio(start)
	if err != nil {
		return err
	}
	p.stdio = io
	for _, f := range io.outputs {
		o, err := newOutput(p, f)
		if err != nil {
			return err
		}
		p.outputs = append(p.outputs, o)
	}
	return nil
}

// reserve takes the id and the viewers that wait for it.
func (s *Supervisor) reserve(p *process) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping || s.processes[p.id] != nil {
		return wire.ErrExists
	}
	s.processes[p.id] = p
	s.tick++
	s.starting[p] = s.tick
	for _, v := range s.waiting[p.id] {
		p.add(v)
	}
	delete(s.waiting, p.id)
	return nil
}

// abandon undoes reserve after a failure.
func (s *Supervisor) abandon(p *process, err error) {
	s.mu.Lock()
	delete(s.processes, p.id)
	s.started(p)
	s.mu.Unlock()
	p.finish(wire.Process{}, err)
	p.release()
}

// register makes the process known to the reaper, who may have met it already.
func (s *Supervisor) register(p *process, pid int) wire.Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	began := s.starting[p]
	p.state.PID, p.state.Started = pid, time.Now()
	e, exited := s.early[pid]
	exited = exited && e.tick > began
	s.started(p)
	if exited {
		delete(s.early, pid)
		s.exited(p, e.status)
		return p.state
	}
	s.byPID[pid] = p
	p.mu.Lock()
	if p.left {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
	p.mu.Unlock()
	return p.state
}

// started ends the time in which exits of unknown processes are kept. The
// caller holds mu.
func (s *Supervisor) started(p *process) {
	delete(s.starting, p)
	oldest := s.tick + 1
	for _, began := range s.starting {
		oldest = min(oldest, began)
	}
	for pid, e := range s.early {
		if e.tick < oldest {
			delete(s.early, pid)
		}
	}
}

func (s *Supervisor) find(id string) (*process, error) {
	p := s.processes[id]
	if p == nil {
		return nil, fmt.Errorf("%s: %w", id, wire.ErrNotFound)
	}
	return p, nil
}

// forget lets go of an ended process. Unknown ones are forgotten already.
func (s *Supervisor) forget(id string) error {
	s.mu.Lock()
	p := s.processes[id]
	if p != nil && !p.state.Ended {
		s.mu.Unlock()
		return wire.ErrRunning
	}
	delete(s.processes, id)
	s.mu.Unlock()
	if p != nil {
		p.release()
	}
	return nil
}

func (s *Supervisor) forgetAll() {
	for _, p := range s.list() {
		if p.Ended {
			_ = s.forget(p.ID)
		}
	}
}

// release closes what the process held. Output of a descendant that still
// holds its streams is lost from here on.
func (p *process) release() {
	if p.stdio != nil {
		p.stdio.closeChild()
		p.stdio.close()
	}
	if p.log != nil {
		_ = p.log.Close()
	}
}
