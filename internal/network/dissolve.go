package network

import (
	"errors"
	"fmt"

	"github.com/virga-cloud/virga/internal/linux/link"
)

// Dissolve is Close for a node on which no instance is attached: the bridges
// and the rules go too. New makes them again.
func (f *Fabric) Dissolve() error {
	f.stop()
	f.work.Wait()
	f.warm.close()
	f.closeDoors()
	var errs []error
	f.mu.Lock()
	for _, s := range f.segments {
		if err := f.conn.Do(link.Delete(s.bridge)); err != nil {
			errs = append(errs, fmt.Errorf("network %s: %w", s.name, err))
		}
	}
	f.mu.Unlock()
	errs = append(errs, f.autoconf.Close())
	return errors.Join(append(errs, f.fronts.balance.Delete(), f.closeFronts(), f.pass.Delete(), f.pass.Close(), f.guard.Delete(), f.guard.Close(), f.policy.Delete(), f.policy.Close(), f.table.Delete(), f.table.Close(), f.conn.Close())...)
}
