package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
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

// hoursPerMonth is what a month's price is divided by.
const hoursPerMonth = 730

// volumes are those that have a price: none, without one for storage. A volume
// is charged for what it may hold, one without a size for what it was last seen
// to store.
//
// +checklocks:l.mu
func (l *Ledger) volumes() []cost.What {
	price := l.Machine.Rates.VolumeGiBMonth / hoursPerMonth
	if price == 0 {
		return nil
	}
	var out []cost.What
	for _, v := range l.Store.Volumes.Views() {
		size, measured := v.Size, true
		if size == 0 {
			size, measured = l.stored[v.ID]
		}
		if w, ok := l.meter.Now(v.ID); ok && !measured { // the daemon is new
			size = w.Stored
		}
		if v.Node == l.Node && size > 0 {
			out = append(out, cost.What{
				Volume: true, Instance: v.ID, Name: v.Name, Project: v.Project, Labels: v.Labels, Type: "volume",
				Stored: size, Price: price * float64(size) / (1 << 30),
			})
		}
	}
	return out
}

// measureEvery is how often volumes without a size are measured.
const measureEvery = time.Hour

// measure looks at the volumes without a size, if storage has a price, now and
// every hour until ctx ends.
func (l *Ledger) measure(ctx context.Context) {
	if l.Machine.Rates.VolumeGiBMonth == 0 {
		return
	}
	tick := time.NewTicker(measureEvery)
	defer tick.Stop()
	for {
		l.measureAll(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (l *Ledger) measureAll(ctx context.Context) {
	stored := map[string]int64{}
	for _, v := range l.Store.Volumes.Views() {
		if v.Node != l.Node || v.Size > 0 || ctx.Err() != nil {
			continue
		}
		n, err := l.Stored(v.ID)
		if err != nil {
			l.Log.Warn("measure a volume", "volume", v.ID, "error", err)
			continue
		}
		stored[v.ID] = n
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stored = stored
	l.write(l.meter.Holds(l.volumes(), l.Now()))
}

// Run follows the store until ctx ends.
func (l *Ledger) Run(ctx context.Context) error {
	watch, cancel := context.WithCancel(ctx)
	defer cancel()
	instances, volumes := l.Store.Instances.Watch(watch), l.Store.Volumes.Watch(watch)
	l.look()
	var wg sync.WaitGroup
	wg.Go(func() { l.measure(watch) })
	defer wg.Wait()
	defer cancel()
	tick := time.NewTicker(markEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case c, ok := <-instances:
			if ok {
				l.changed(c.ID)
				continue
			}
			if ctx.Err() != nil {
				return nil
			}
			instances = l.Store.Instances.Watch(watch) // too slow: look at everything
			l.look()
		case _, ok := <-volumes:
			if !ok && ctx.Err() == nil {
				volumes = l.Store.Volumes.Watch(watch)
			}
			l.mu.Lock()
			l.write(l.meter.Holds(l.volumes(), l.Now()))
			l.mu.Unlock()
		case <-tick.C:
			l.mark()
		}
	}
}

// changed looks at one instance.
func (l *Ledger) changed(id string) {
	in, err := l.Store.Instances.View(id)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.write(l.meter.Gone(id, l.Now()))
		return
	}
	if life, ok := l.life(in); ok {
		l.write(l.meter.Runs(life, l.Now()))
	}
}

func (l *Ledger) look() {
	for _, in := range l.Store.Instances.Views() {
		l.changed(in.ID)
	}
}

// mark takes note that the node is alive, and brings lines to the disk.
func (l *Ledger) mark() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.Now()
	if hour := now.Wall.Unix() / 3600; hour != l.charged { // EC2 bills surplus at the end of an hour
		l.charged = hour
		for _, in := range l.Store.Instances.Views() {
			l.chargeSurplus(in)
		}
	}
	l.write(l.meter.Mark(now))
	if err := l.files.sync(); err != nil {
		l.Log.Error("write the ledger to the disk", "error", err)
	}
	if err := l.files.rotate(now.Wall, l.meter.Snapshot); err != nil {
		l.Log.Error("begin another file of the ledger", "error", err)
	}
}

// chargeSurplus writes what an account was charged since it was last written.
//
// +checklocks:l.mu
func (l *Ledger) chargeSurplus(in *api.Instance) {
	if total, ok := l.surplus(in); ok {
		l.write(l.meter.Charged(l.what(in), total, l.Now()))
	}
}

func (l *Ledger) surplus(in *api.Instance) (total float64, ok bool) {
	if in.Type == nil || in.Type.Family != api.FamilyBurst {
		return 0, false
	}
	return l.Charged(in.ID)
}

// Ended implements node.Ledger.
func (l *Ledger) Ended(in *api.Instance, life int, at time.Time, last bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.write(l.meter.Ends(l.lifeOf(in, life), at, last, l.Now()))
}

// Removing implements node.Ledger.
func (l *Ledger) Removing(in *api.Instance) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.chargeSurplus(in)
	if in.Status.Finished.Sub(in.Status.Started).Abs() < markEvery {
		return
	}
	if err := l.files.sync(); err != nil {
		l.Log.Error("write the ledger to the disk", "error", err)
	}
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

// Spent is what an instance has cost so far, and what an hour of it costs while
// it runs.
func (l *Ledger) Spent(instance string) (spent, perHour float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.meter.Spent(instance, l.Now())
}

// Tally is where the machine's price went since the daemon began, and the
// machine.
func (l *Ledger) Tally() (cost.Tally, cost.Machine) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.write(l.meter.Look(l.Now()))
	return l.meter.Tally, l.meter.Price()
}

// Cost answers what instances cost in [from, to): those of a project, or all.
func (l *Ledger) Cost(ctx context.Context, by, project string, from, to time.Time) (api.CostReport, error) {
	key, err := cost.ParseBy(by)
	if err != nil {
		return api.CostReport{}, err
	}
	records, periods, to, err := l.records(ctx, from, to)
	if err != nil {
		return api.CostReport{}, err
	}
	r, err := cost.Report(records, periods, key, from, to)
	r.By = by
	if project != "" && err == nil {
		mine := records[:0]
		for _, x := range records {
			if x.Project == project {
				mine = append(mine, x)
			}
		}
		only, err := cost.Report(mine, periods, key, from, to)
		r.Lines, r.Total = only.Lines, only.Total
		return r, err
	}
	return r, err
}

// Export writes the charges of [from, to): those of a project, or all and what
// was left of the machine.
func (l *Ledger) Export(ctx context.Context, w io.Writer, format, project string, from, to time.Time) error {
	records, periods, to, err := l.records(ctx, from, to)
	if err != nil {
		return err
	}
	return cost.Write(w, format, cost.Charges(records, periods, l.Node, project, from, to))
}

// records are those that have a part in [from, to), what goes on as if it ended
// now, and the periods. to is at most now.
func (l *Ledger) records(ctx context.Context, from, to time.Time) ([]cost.Record, []cost.Period, time.Time, error) {
	l.mu.Lock()
	now := l.Now()
	l.write(l.meter.Look(now))
	going, present := l.meter.Going(now)
	for _, in := range l.Store.Instances.Views() {
		if total, ok := l.surplus(in); ok {
			if r, due := l.meter.Due(l.what(in), total, now); due {
				going = append(going, r)
			}
		}
	}
	list, err := l.files.list()
	l.mu.Unlock()
	if err != nil {
		return nil, nil, to, err
	}
	if end := present.End.Add(time.Nanosecond); to.After(end) { // what ended just now counts
		to = end
	}
	var records []cost.Record
	periods := map[int64]cost.Period{}
	for _, f := range list {
		if f.ended.Before(from.Add(-clockSlack)) {
			continue
		}
		err := f.read(func(line cost.Line) {
			switch {
			case line.Period != nil:
				periods[line.Period.ID] = *line.Period
			case line.Run != nil && !line.Run.End.Before(from) && line.Run.Start.Before(to):
				records = append(records, *line.Run)
			}
		})
		if err = errors.Join(err, ctx.Err()); err != nil {
			return nil, nil, to, fmt.Errorf("read the ledger: %w", err)
		}
	}
	periods[present.ID] = present
	all := make([]cost.Period, 0, len(periods))
	for _, p := range periods {
		all = append(all, p)
	}
	return append(records, going...), all, to, nil
}

// clockSlack is by how much the times in a file may be off from its name's: the
// clock may have been set.
const clockSlack = 25 * time.Hour
