package deploy

import (
	"fmt"
	"io"
	"sync"
)

// Progress tells what is being done, a line each. It is safe for concurrent
// use; a nil Progress tells nothing.
type Progress struct {
	mu  sync.Mutex
	out io.Writer // guarded by mu
}

// NewProgress tells w.
func NewProgress(w io.Writer) *Progress { return &Progress{out: w} }

// Say writes a line such as " web-1  started".
func (p *Progress) Say(what, name, did string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.out, "%-9s %-30s %s\n", what, name, did)
}
