package daemon

import (
	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control"
	"github.com/virga-cloud/virga/internal/control/cost"
	"github.com/virga-cloud/virga/internal/control/ledger"
	"github.com/virga-cloud/virga/internal/cpu"
	"github.com/virga-cloud/virga/internal/metrics"
	"github.com/virga-cloud/virga/internal/node"
	"github.com/virga-cloud/virga/internal/volume"
)

// openLedger opens the record of what ran, which goes on from the store's lives.
func (d *Daemon) openLedger(has api.Capacity, a *control.Admission, v *volume.Store) (*ledger.Ledger, error) {
	now, err := cpu.Clock()
	if err != nil {
		return nil, err
	}
	amount := func(a api.Amount) api.Amount { return api.Amount{VCPUs: a.VCPUs, Memory: a.Memory} }
	return ledger.Open(ledger.Config{
		Dir: d.dir("ledger"), Node: d.name, Store: d.store, Log: d.log,
		Machine:  cost.Machine{Physical: amount(has.Physical), Reserved: amount(has.Reserved), Rates: a.Types.Rates()},
		Promised: a.Supply.Promised, Price: a.Types.Price,
		Charged: func(id string) (float64, bool) {
			c, ok := d.cpu.Credits(id)
			return c.Charged, ok
		},
		Stored: v.Stored,
		Now:    func() cost.Moment { return cost.Moment(now()) },
	})
}

// Spent implements metrics.CostSource.
func (f figures) Spent(id string) (spent, perHour float64) { return f.ledger.Spent(id) }

// MachineCost implements metrics.CostSource.
func (f figures) MachineCost() metrics.MachineCost {
	t, m := f.ledger.Tally()
	return metrics.MachineCost{
		Node: f.Name, Currency: m.Rates.Currency, PerHour: m.Hour(),
		Parts: map[string]float64{"workload": t.Workload, "idle": t.Idle, "overhead": t.Overhead},
	}
}

var (
	_ metrics.CostSource = figures{}
	_ node.Ledger        = (*ledger.Ledger)(nil)
)
