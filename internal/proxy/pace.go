package proxy

import "time"

const (
	// A client's body must have come at paceRate bytes a second on average
	// after the first paceGrace, and never stand still for paceStop. The rate is
	// that of Kestrel, the server of ASP.NET: slower than any real link.
	paceRate  = 240
	paceGrace = 10 * time.Second
	paceStop  = time.Minute
)

// pace says how slow a client's body may be. Only the time that was waited for
// the client counts, not what the backend took.
type pace struct {
	waited time.Duration
	asked  time.Time // when the wait began
	got    int64     // bytes
}

// deadline begins a wait and says when the next bytes must have come.
func (p *pace) deadline(now time.Time) time.Time {
	p.asked = now
	left := paceGrace + time.Duration(min(p.got, 1<<40)/paceRate)*time.Second - p.waited
	return now.Add(min(left, paceStop))
}

// came ends a wait.
func (p *pace) came(n int64, now time.Time) {
	p.got += n
	p.waited += now.Sub(p.asked)
}
