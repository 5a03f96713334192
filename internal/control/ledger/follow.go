package ledger

import (
	"context"
	"sync"
	"time"

	"github.com/virga-cloud/virga/api"
)

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
