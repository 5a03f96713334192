package supervisor

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// signal sends sig to the process. It holds mu, as the reaper does, so that
// the pid cannot have been given to another.
func (s *Supervisor) signal(id string, sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.find(id)
	if err != nil {
		return err
	}
	if s.byPID[p.state.PID] != p {
		return nil // it is over
	}
	return unix.Kill(p.state.PID, sig)
}

// kill ends the process and its process group.
func (s *Supervisor) kill(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.find(id)
	if err != nil {
		return err
	}
	if s.byPID[p.state.PID] != p {
		return nil
	}
	_ = unix.Kill(-p.state.PID, unix.SIGKILL)
	return unix.Kill(p.state.PID, unix.SIGKILL)
}

func (s *Supervisor) resize(id string, w, h uint16) error {
	s.mu.Lock()
	p, err := s.find(id)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return p.resize(w, h)
}
