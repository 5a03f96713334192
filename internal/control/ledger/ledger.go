package ledger

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/cost"
	"github.com/virga-cloud/virga/internal/control/store"
)

// Config is what a Ledger stands on. Every field is required.
type Config struct {
	Dir     string
	Node    string
	Store   *store.Store
	Machine cost.Machine
	// Promised is what an instance has of the machine while it runs.
	Promised func(*api.Instance) (vcpus float64, memory int64)
	// Price is the list price of an hour of an instance, a spot one's at
	// present.
	Price func(*api.Instance) float64
	// Charged is what the account of an instance was charged for surplus, in
	// credits; false without an account. It may not call the Ledger.
	Charged func(instance string) (float64, bool)
	// Stored is how many bytes a volume without a size takes. It may take long.
	Stored func(volume string) (int64, error)
	Now    func() cost.Moment
	Log    *slog.Logger
}

// Ledger is what ran on a node. Its methods may be called concurrently.
type Ledger struct {
	Config

	// mu is held while lines are appended: their order is that of the calls,
	// and what is written here is waited for by nobody but the page cache.
	mu      sync.Mutex
	meter   *cost.Meter // +checklocks:mu
	files   *files      // +checklocks:mu
	charged int64       // +checklocks:mu hour in which surplus was last charged

	stored map[string]int64 // +checklocks:mu bytes of volumes without a size, as last measured
}

// markEvery bounds what a crash of the machine forgets.
const markEvery = time.Minute

// Open goes on from the files in Dir, which need not exist, with the lives that
// the store has.
func Open(c Config) (*Ledger, error) {
	l := &Ledger{Config: c, meter: cost.NewMeter(), stored: map[string]int64{}}
	now := c.Now()
	f, err := openFiles(c.Dir, now.Wall, l.meter.Load)
	if err != nil {
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	l.files = f
	l.mu.Lock()
	defer l.mu.Unlock()
	var lives []cost.Life
	for _, in := range c.Store.Instances.Views() {
		if life, ok := l.life(in); ok {
			lives = append(lives, life)
		}
	}
	l.write(l.meter.Begin(c.Machine, lives, now))
	for _, life := range lives {
		l.write(l.meter.Runs(life, now))
	}
	l.meter.Prune(func(id string) bool {
		_, err := c.Store.Instances.View(id)
		return err == nil
	})
	l.write(l.meter.Holds(l.volumes(), now))
	return l, nil
}

// life is the life of an instance that runs, by what the store says.
func (l *Ledger) life(in *api.Instance) (cost.Life, bool) {
	st := &in.Status
	switch st.Phase {
	case api.PhaseRunning, api.PhasePaused, api.PhaseStopping:
	default:
		return cost.Life{}, false
	}
	if in.Node != l.Node || st.Starts == 0 || st.Started.IsZero() {
		return cost.Life{}, false
	}
	return l.lifeOf(in, st.Starts), true
}

func (l *Ledger) lifeOf(in *api.Instance, number int) cost.Life {
	return cost.Life{What: l.what(in), Number: number, Stay: in.Status.Life, Started: in.Status.Started}
}

func (l *Ledger) what(in *api.Instance) cost.What {
	w := cost.What{
		Instance: in.ID, Name: in.Name, Project: in.Project, Group: in.Group, Labels: in.Labels,
		Type: in.TypeName(), Spot: in.Spec.Spot != nil, Price: l.Price(in),
	}
	w.VCPUs, w.Memory = l.Promised(in)
	return w
}

// +checklocks:l.mu
func (l *Ledger) write(lines []cost.Line) {
	if err := l.files.append(lines); err != nil {
		l.Log.Error("append to the ledger, will try again", "error", err)
	}
}

// Close writes what is late. What runs goes on.
func (l *Ledger) Close() error {
	l.mark()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.files.close()
}
