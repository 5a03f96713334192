package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/cost"
)

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
