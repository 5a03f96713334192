package daemon

import (
	"sync"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/controller"
	"github.com/virga-cloud/virga/internal/proxy"
)

// loads turns what services counted into the load of groups.
type loads struct {
	services func() []*api.Service
	traffic  func() map[string]proxy.Snapshot // by the service's id
	now      func() time.Time

	mu   sync.Mutex
	last map[string]counted // +checklocks:mu by the service's id
}

// counted is what a service had counted at a moment.
type counted struct {
	at time.Time
	proxy.Snapshot
}

// of is the load of a group since the call before; ok is false for one without
// a service of HTTP, and the first time.
func (l *loads) of(g *api.Group) (load controller.Load, ok bool) {
	var mine []*api.Service
	for _, s := range l.services() {
		if s.Project == g.Project && s.Spec.Selector.Group == g.Name {
			mine = append(mine, s)
		}
	}
	if len(mine) == 0 {
		return load, false
	}
	all, now := l.traffic(), l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil {
		l.last = map[string]counted{}
	}
	for _, s := range mine {
		was, known := l.last[s.ID]
		count := all[s.ID]
		l.last[s.ID] = counted{now, count}
		seconds := now.Sub(was.at).Seconds()
		if !known || seconds <= 0 || count.Total() < was.Total() {
			continue
		}
		ok = true
		load.Requests += float64(count.Total()-was.Total()) / seconds
		load.Latency = max(load.Latency, count.Quantile(0.95, was.Snapshot))
	}
	return load, ok
}
