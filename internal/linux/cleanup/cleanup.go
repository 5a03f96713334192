// Package cleanup undoes the steps of a set-up that failed half way.
//
//	undo := cleanup.Make(first)
//	defer undo.Clean()
//	… undo.Add(second) …
//	undo.Release() // all went well: nothing is undone
package cleanup

// Cleanup is a list of functions that run in reverse order unless released.
// It is for one goroutine.
type Cleanup struct{ steps []func() }

// Make begins a list.
func Make(steps ...func()) *Cleanup { return &Cleanup{steps: steps} }

// Add puts another step on the list.
func (c *Cleanup) Add(f func()) { c.steps = append(c.steps, f) }

// Clean runs the steps, last one first, once.
func (c *Cleanup) Clean() {
	for i := len(c.steps) - 1; i >= 0; i-- {
		c.steps[i]()
	}
	c.steps = nil
}

// Release forgets the steps.
func (c *Cleanup) Release() { c.steps = nil }
