package ledger

import (
	"context"
	"time"

	"github.com/virga-cloud/virga/internal/control/cost"
)

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
