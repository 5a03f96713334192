package supervisor

import (
	"context"
	"log/slog"
	"sync"

	"github.com/virga-cloud/virga/internal/shim/wire"
)

// maxStarts bounds the starts under way: each holds a thread.
const maxStarts = 32

// Config is what a Supervisor needs.
type Config struct {
	Log *slog.Logger
	// Build names the running binary to clients.
	Build string
}

// Supervisor holds all processes of a node.
type Supervisor struct {
	c     Config
	slots chan struct{}
	stop  func() // closes the listener, then ends Run

	mu        sync.Mutex
	processes map[string]*process  // guarded by mu
	byPID     map[int]*process     // running ones; guarded by mu
	starting  map[*process]uint64  // tick at which each start began; guarded by mu
	early     map[int]early        // exits that came before their start had returned; guarded by mu
	tick      uint64               // counts starts and early exits; guarded by mu
	waiting   map[string][]*viewer // attached before the start; guarded by mu
	watchers  map[*control]bool    // guarded by mu
	stopping  bool                 // guarded by mu

	wg sync.WaitGroup
}

// New returns a supervisor that Run starts.
func New(c Config) *Supervisor {
	return &Supervisor{
		c: c, slots: make(chan struct{}, maxStarts),
		processes: map[string]*process{}, byPID: map[int]*process{},
		starting: map[*process]uint64{}, early: map[int]early{},
		waiting: map[string][]*viewer{}, watchers: map[*control]bool{},
	}
}

// Run serves clients on the listener until a client's Stop or the end of ctx,
// and closes it. Processes that still run then are left to themselves.
func (s *Supervisor) Run(ctx context.Context, l *Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	// Whoever sees its connection end may start another supervisor, so the
	// directory is given back before.
	s.stop = func() { l.Close(); cancel() }
	defer s.stop()
	reaped := make(chan struct{})
	go func() {
		defer close(reaped)
		s.reap(ctx)
	}()
	go func() {
		<-ctx.Done()
		l.Close()
	}()
	for {
		conn, err := l.Accept()
		if err != nil {
			if s.asked(ctx) {
				err = nil
			}
			s.stop()
			<-reaped
			s.wg.Wait()
			return err
		}
		s.wg.Go(func() { s.serve(ctx, conn) })
	}
}

// serve reads the first frame and becomes what it asks for.
func (s *Supervisor) serve(ctx context.Context, conn *wire.Conn) {
	defer conn.Close()
	release := context.AfterFunc(ctx, conn.Shutdown)
	defer release()
	kind, body, buf, err := wire.ReadFrame(conn, nil, 4096)
	if err != nil {
		return
	}
	switch kind {
	case wire.KindHello:
		s.control(conn)
	case wire.KindAttach:
		d := wire.Decoder{B: body}
		id := d.String()
		if d.Err() != nil {
			return
		}
		s.attach(conn, id, buf)
	}
}

func (s *Supervisor) info() wire.Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	return wire.Info{Version: wire.Version, Build: s.c.Build, PID: pid(), Processes: len(s.processes)}
}

func (s *Supervisor) list() []wire.Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []wire.Process
	for _, p := range s.processes {
		if _, starting := s.starting[p]; !starting {
			all = append(all, p.state)
		}
	}
	return all
}

// asked says whether the supervisor was asked to end.
func (s *Supervisor) asked(ctx context.Context) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping || ctx.Err() != nil
}

// quit ends the supervisor when it holds no process.
func (s *Supervisor) quit() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.processes) > 0 {
		return wire.ErrRunning
	}
	s.stopping = true
	return nil
}
