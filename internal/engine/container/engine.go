package container

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/virga-cloud/virga/internal/engine"
	"github.com/virga-cloud/virga/internal/linux/caps"
	"github.com/virga-cloud/virga/internal/linux/cgroup"
	"github.com/virga-cloud/virga/internal/linux/confine"
	"github.com/virga-cloud/virga/internal/linux/seccomp"
	"github.com/virga-cloud/virga/internal/shim"
)

// Config says where the engine works. Every field is required unless it says
// otherwise.
type Config struct {
	// Instances is the directory that holds the instances' directories, by id.
	Instances string
	// Trash is a directory on the same file system; what is removed goes
	// there and is deleted in the background.
	Trash string
	// Base is a directory that Instances, Trash and the images' layers lie
	// below; it gets one more, skeleton. "" when they have nothing in common.
	Base string
	// Cgroup is the name of the root of all groups; default "virga". Daemons
	// that share a machine have different ones.
	Cgroup string
	// OffCores keeps this process and the supervisor that it starts on the CPUs
	// that are shared, where the kernel lets them; for a process with one engine.
	OffCores bool
	// Init is the path of the binary that runs as an instance's first process
	// when the spec asks for one, with the argument "init"; "" when there is
	// none.
	Init string
	// LogSize and LogFiles bound an instance's log; 0 is the supervisor's
	// default.
	LogSize  int64
	LogFiles int

	// Connect connects to the supervisor, starting one when there is none.
	Connect func(ctx context.Context) (*shim.Client, error)
	Log     *slog.Logger
}

// Engine runs containers. It is made by New and ended by Close.
type Engine struct {
	Config
	cgroups *cgroup.Root
	bounds  caps.Set // what this process can give at most
	adjust  int      // its own oom_score_adj
	mask    []confine.Path
	protect []string
	trash   *trash
	closer  *closer
	// sameMount remembers which directories are on the mount of Base.
	sameMount sync.Map // string → bool
	seccomp   seccomp.Cache
	exits     chan engine.Exit
	stop      context.CancelFunc
	wg        sync.WaitGroup

	mu      sync.Mutex
	client  *shim.Client        // guarded by mu
	running map[string]life     // by instance; guarded by mu
	roots   map[string]*os.File // what runs has as root, by instance; guarded by mu
	execs   map[string]bool     // ids of execs that a session holds; guarded by mu
}

// life is what runs of an instance.
type life struct {
	number, pid int
}

// New makes an engine and takes up what its supervisor has.
func New(ctx context.Context, c Config) (*Engine, error) {
	if c.Cgroup == "" {
		c.Cgroup = "virga"
	}
	for _, d := range []string{c.Instances, c.Trash} {
		if err := os.MkdirAll(d, 0o711); err != nil {
			return nil, err
		}
	}
	if c.Base != "" {
		if err := makeSkeleton(filepath.Join(c.Base, "skeleton")); err != nil {
			return nil, err
		}
	}
	bounds, err := caps.Bounding()
	if err != nil {
		return nil, fmt.Errorf("read capabilities: %w", err)
	}
	groups, err := cgroup.Open(c.Cgroup)
	if err != nil {
		return nil, err
	}
	if c.OffCores {
		if err := groups.Join(); err != nil {
			return nil, errors.Join(fmt.Errorf("move to the shared CPUs: %w", err), groups.Close())
		}
	}
	e := &Engine{
		Config: c, cgroups: groups, bounds: bounds, adjust: oomScoreAdj(),
		exits: make(chan engine.Exit), running: map[string]life{}, roots: map[string]*os.File{}, execs: map[string]bool{},
	}
	if e.client, err = c.Connect(ctx); err != nil {
		return nil, errors.Join(err, groups.Close())
	}
	e.mask, e.protect = confine.DefaultPaths()
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	e.stop = stop
	e.trash, e.closer = newTrash(c.Trash, c.Log), newCloser()
	lives, err := e.Lives(ctx)
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	for _, l := range lives {
		if l.Exit == nil {
			e.set(l.Instance, life{l.Number, l.PID})
		}
	}
	e.wg.Go(func() { e.deliver(run) })
	return e, nil
}

// Groups are the cgroups of the instances, for who changes limits on the way.
func (e *Engine) Groups() *cgroup.Root { return e.cgroups }

// Close ends what the engine does. Instances go on.
func (e *Engine) Close() error {
	e.stop()
	e.wg.Wait()
	e.supervisor().Close()
	e.closer.close()
	e.trash.close()
	return e.cgroups.Close()
}

// supervisor is the client of the supervisor that runs now.
func (e *Engine) supervisor() *shim.Client {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.client
}

// of returns what runs of an instance.
func (e *Engine) of(instance string) (life, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	l, ok := e.running[instance]
	if !ok {
		return l, notRunning(instance)
	}
	return l, nil
}

// begun adds the pid of a life, unless it has ended already, and holds its root:
// were the workload the last to have it, its end would not be seen before the
// root is taken apart.
func (e *Engine) begun(instance string, l life, root *os.File) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running[instance].number != l.number {
		e.closer.put(root)
		return
	}
	e.running[instance] = l
	e.roots[instance] = root
}

func (e *Engine) set(instance string, l life) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.running[instance] = l
}
