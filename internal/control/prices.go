package control

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/spot"
	"github.com/virga-cloud/virga/internal/control/store"
)

const (
	// keptDays is how far back prices are kept, as EC2 does.
	keptDays = 90
	// mostPoints bounds the prices of a day; further ones replace the last.
	mostPoints = 24 * 60
)

// Prices are what spare capacity has cost, a stored object a day. The methods
// may be called concurrently; Set by one caller at a time.
type Prices struct {
	Store *store.Store
	Node  string

	mu   sync.Mutex
	last *api.SpotPoint // +checklocks:mu; nil before it was looked for
}

// Now is the price in force: that of an idle node before the first.
func (p *Prices) Now() api.SpotPoint {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last == nil {
		p.last = &api.SpotPoint{Share: spot.Price(0)}
		if all := p.read(); len(all) > 0 {
			p.last = &all[len(all)-1]
		}
	}
	return *p.last
}

// History are the prices since then and the one that was in force before,
// oldest first.
func (p *Prices) History(since time.Time) []api.SpotPoint {
	all := p.read()
	i, _ := slices.BinarySearchFunc(all, since, func(s api.SpotPoint, t time.Time) int { return s.Time.Compare(t) })
	return all[max(0, i-1):]
}

func (p *Prices) read() []api.SpotPoint {
	all := []api.SpotPoint{}
	for _, d := range p.Store.Prices.Views() {
		if d.Project == p.Node {
			all = append(all, d.Points...)
		}
	}
	slices.SortFunc(all, func(a, b api.SpotPoint) int { return a.Time.Compare(b.Time) })
	return all
}

// Set stores a price, and forgets those that are too old.
func (p *Prices) Set(ctx context.Context, s api.SpotPoint) error {
	day := s.Time.UTC().Format(time.DateOnly)
	d, err := p.Store.Prices.ByName(p.Node, day)
	switch {
	case api.CodeOf(err) == api.CodeNotFound:
		err = p.Store.Prices.Create(ctx, &store.PriceDay{
			Meta: api.Meta{ID: NewID(), Name: day, Project: p.Node, Created: s.Time}, Points: []api.SpotPoint{s},
		})
	case err == nil:
		_, err = p.Store.Prices.Update(ctx, d.ID, func(d *store.PriceDay) error {
			if len(d.Points) >= mostPoints {
				d.Points = d.Points[:mostPoints-1]
			}
			d.Points = append(d.Points, s)
			return nil
		})
	}
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.last = &s
	p.mu.Unlock()
	return p.prune(ctx, s.Time.AddDate(0, 0, -keptDays).UTC().Format(time.DateOnly))
}

func (p *Prices) prune(ctx context.Context, first string) error {
	for _, d := range p.Store.Prices.Views() {
		if d.Project == p.Node && d.Name < first {
			if err := p.Store.Prices.Delete(ctx, d.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// SpotMarket is what types cost now.
func (a *Admission) SpotMarket() api.SpotMarket {
	now := a.Prices.Now()
	m := api.SpotMarket{Node: a.Node, Utilisation: a.Utilisation(), Share: now.Share, Since: now.Time, Types: []api.SpotPrice{}}
	for _, t := range a.Types.List() {
		m.Types = append(m.Types, api.SpotPrice{Type: t.Name, OnDemand: t.PricePerHour, Spot: t.PricePerHour * now.Share})
	}
	return m
}

// Utilisation is the share of the node that is promised, 0 to 1.
func (a *Admission) Utilisation() float64 {
	total, all := a.Market()
	return utilisation(total, all)
}

func utilisation(total spot.Room, all []spot.Instance) float64 {
	free := total
	for _, in := range all {
		free = free.Minus(in.Holds)
	}
	return spot.Utilisation(total, free)
}
