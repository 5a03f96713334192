package container

import (
	"context"
	"errors"
)

// Dissolve is Close for a node on which nothing runs: the supervisor and the
// root of the groups go too. New makes them again.
func (e *Engine) Dissolve(ctx context.Context) error {
	e.stop()
	e.wg.Wait()
	err := e.supervisor().Stop(ctx)
	e.supervisor().Close()
	e.closer.close()
	e.trash.close()
	return errors.Join(err, e.cgroups.Remove(ctx), e.cgroups.Close())
}
