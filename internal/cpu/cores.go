package cpu

import (
	"errors"
	"fmt"
	"math"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/cpu/pool"
)

// place decides which CPUs a claim gets. c.mu is held.
func (c *Controller) place(m *member) (Grant, error) {
	g := Grant{CPUs: m.claim.CPUs}
	if m.claim.Family == api.FamilyDedicated {
		set, err := c.pool.Allocate(m.claim.Instance, int(math.Ceil(m.claim.VCPUs)))
		if err != nil {
			return g, short(err)
		}
		g.CPUs, g.CPUSet, g.Cores = 0, set.String(), set.String()
		if err := c.spread(m.claim.Instance); err != nil {
			return g, err
		}
		m.list = g.CPUSet
		return g, nil
	}
	list, warning := c.listOf(m)
	if warning != "" {
		g.Warnings = append(g.Warnings, warning)
	}
	m.list, g.CPUSet = list, list
	return g, nil
}

func short(err error) error {
	s, ok := errors.AsType[*pool.ShortError](err)
	if !ok {
		return err
	}
	e := api.Errorf(api.CodeInsufficientCapacity, "dedicated cores: %d CPUs asked, %d free on this node", s.Want, s.Free).InField("spec.type")
	if s.Free == 0 {
		return e.WithHint("stop a dedicated instance, or choose a shared or burst type")
	}
	return e.WithHint("choose a type of at most %d vCPUs, or stop a dedicated instance", s.Free)
}

// listOf is the list of CPUs of an instance without cores of its own; "" is
// where all of those run. What it asked for is narrowed to what is shared.
func (c *Controller) listOf(m *member) (list, warning string) {
	shared := c.pool.Shared()
	exclusive := len(c.pool.Owners()) > 0
	if m.claim.CPUSet != "" {
		want, err := pool.ParseCPUSet(m.claim.CPUSet)
		if err != nil || !exclusive {
			return m.claim.CPUSet, "" // the kernel says what is wrong with it
		}
		got := want.Without(want.Without(shared))
		switch {
		case len(got) == len(want):
			return m.claim.CPUSet, ""
		case len(got) > 0:
			return got.String(), fmt.Sprintf("of the CPUs %s only %s are shared, the others are dedicated", want, got)
		}
		return shared.String(), fmt.Sprintf("the CPUs %s are dedicated to others: it runs on %s", want, shared)
	}
	if exclusive && c.Groups.EachHasCPUs() {
		return shared.String(), ""
	}
	return "", ""
}

// spread moves everything without cores of its own to what is shared now; the
// instance except is left to its caller. c.mu is held.
func (c *Controller) spread(except string) error {
	list := ""
	if len(c.pool.Owners()) > 0 {
		list = c.pool.Shared().String()
	}
	if c.spreadOnce && list == c.shared {
		return nil
	}
	if err := c.Groups.ShareCPUs(list); err != nil {
		return fmt.Errorf("move to the shared CPUs %s: %w", list, err)
	}
	c.shared, c.spreadOnce = list, true
	var errs []error
	for id, m := range c.members {
		if id == except || m.claim.Family == api.FamilyDedicated {
			continue
		}
		list, warning := c.listOf(m)
		if list == m.list {
			continue
		}
		if err := c.Groups.SetCPUs(id, list); err != nil {
			errs = append(errs, fmt.Errorf("move %s to CPUs %s: %w", id, list, err))
			continue
		}
		m.list = list
		if warning != "" {
			c.Changed(id, warning)
		}
	}
	return errors.Join(errs...)
}

// giveBack takes the cores of an instance, and lets the others have them.
func (c *Controller) giveBack(id string) {
	if c.pool.Owned(id) == nil {
		return
	}
	c.pool.Release(id)
	if err := c.spread(id); err != nil {
		c.Log.Error("give cores back", "instance", id, "error", err)
	}
}

// adoptCores takes up what a running dedicated instance has.
func (c *Controller) adoptCores(m *member) (Grant, error) {
	id := m.claim.Instance
	list, err := c.Groups.CPUs(id)
	if err != nil {
		return Grant{}, err
	}
	set, err := pool.ParseCPUSet(list)
	if err == nil && c.pool.Fits(id, set) {
		c.pool.Adopt(id, set)
		m.list = set.String()
		return Grant{CPUSet: m.list, Cores: m.list}, nil
	}
	g, err := c.place(m)
	if err != nil {
		return g, err
	}
	return g, c.Groups.SetCPUs(id, g.CPUSet)
}

// lookAtCPUs follows CPUs that come and go. c.mu is held.
func (c *Controller) lookAtCPUs() error {
	online, err := c.Groups.Online()
	if err != nil || online == c.online {
		return err
	}
	set, err := pool.ParseCPUSet(online)
	if err != nil {
		return err
	}
	cores, err := topology(c.Sys, set)
	if err != nil {
		return err
	}
	c.Log.Info("CPUs changed", "online", online, "before", c.online)
	before := c.pool
	c.pool, c.online = pool.New(cores, c.Reserve), online
	c.shared, c.spreadOnce = "", false
	var hit []string
	for _, owner := range before.Owners() {
		had := before.Owned(owner)
		kept := had.Without(had.Without(set))
		if len(kept) > 0 {
			c.pool.Adopt(owner, kept)
		}
		if len(kept) < len(had) {
			hit = append(hit, owner)
		}
	}
	errs := []error{}
	for _, owner := range hit {
		errs = append(errs, c.replace(owner, before.Owned(owner)))
	}
	return errors.Join(append(errs, c.spread(""))...)
}

// replace gives an instance that lost cores others, or tells it that it has
// less than it was promised.
func (c *Controller) replace(id string, had pool.CPUSet) error {
	m := c.members[id]
	if m == nil {
		c.pool.Release(id)
		return nil
	}
	set, err := c.pool.Allocate(id, int(math.Ceil(m.claim.VCPUs)))
	switch {
	case err == nil:
		c.Changed(id, fmt.Sprintf("of its CPUs %s some went offline: it moved to %s", had, set))
	case len(c.pool.Owned(id)) > 0:
		set = c.pool.Owned(id)
		c.Changed(id, fmt.Sprintf("of its CPUs %s only %s are left, the others went offline", had, set))
	default:
		set = c.pool.Shared()
		c.Changed(id, fmt.Sprintf("its CPUs %s went offline: it shares %s", had, set))
	}
	m.list = set.String()
	return c.Groups.SetCPUs(id, m.list)
}
