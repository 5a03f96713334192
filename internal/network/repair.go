package network

import (
	"context"
	"time"
)

// repairEvery is how often the rules are compared with what they should be.
const repairEvery = 3 * time.Second

// repair puts rules back that another program has flushed, and warns of
// firewalls that came later, until ctx ends.
func (f *Fabric) repair(ctx context.Context) {
	tick := time.NewTicker(repairEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := f.sweepGuard(); err != nil {
			f.config.Log.Error("links that are gone stay guarded", "err", err)
		}
		f.repaired(f.config.Table, f.table.Repair)
		f.repaired(f.config.Table+"-services", f.fronts.balance.Repair)
		f.repaired(f.config.Table+"-rules", f.policy.Repair)
		f.repaired(f.config.Table+"-guard", f.guard.Repair)
		f.getBy()
		f.warnOfDroppers()
	}
}

// repaired puts one table back where that is needed, and says so.
func (f *Fabric) repaired(table string, repair func() (bool, error)) {
	repaired, err := repair()
	switch {
	case err != nil:
		f.config.Log.Error("rules cannot be repaired", "table", table, "err", err)
	case repaired:
		f.config.Log.Warn("another program changed the rules: put back", "table", table)
	}
}
