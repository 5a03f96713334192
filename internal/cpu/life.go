package cpu

import (
	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/cpu/credit"
)

// Admit implements node.CPU.
func (c *Controller) Admit(claim Claim) (Grant, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.admit(claim)
}

// admit gives a claim its CPUs and its account. c.mu is held.
func (c *Controller) admit(claim Claim) (Grant, error) {
	id := claim.Instance
	old := c.members[id]
	if claim.Family == api.FamilyBurst {
		if err := claim.terms().Validate(); err != nil {
			return Grant{}, api.Invalid("spec.type", "burst type: %v", err)
		}
	}
	m := &member{claim: claim, live: old != nil && old.live}
	c.members[id] = m
	g, err := c.place(m)
	if err != nil {
		if old != nil {
			c.members[id] = old
			return Grant{}, err
		}
		delete(c.members, id)
		return Grant{}, err
	}
	if claim.Family != api.FamilyBurst {
		return g, nil
	}
	a := c.open(claim)
	g.CPUs = a.limit()
	a.written = g.CPUs
	return g, nil
}

// open finds the account of an instance, or opens one.
func (c *Controller) open(claim Claim) *account {
	now := c.Now()
	a, ok := c.accounts[claim.Instance]
	if !ok {
		a = openAccount(claim.terms(), now)
		c.accounts[claim.Instance] = a
		c.saveSoon()
	}
	if a.running {
		c.look(claim.Instance, a, now) // what was used so far is under the old terms
	} else {
		a.resume(now)
	}
	a.change(claim.terms())
	a.quota = claim.CPUs
	return a
}

// Started implements node.CPU.
func (c *Controller) Started(instance string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.members[instance]
	if m == nil {
		return
	}
	// Others may have got or given back cores while the engine worked.
	if m.claim.Family != api.FamilyDedicated {
		if list, _ := c.listOf(m); list != m.list {
			m.list = list
			if err := c.Groups.SetCPUs(instance, list); err != nil {
				c.Log.Error("move to other CPUs", "instance", instance, "cpus", list, "error", err)
			}
		}
		c.giveBack(instance) // a resize from dedicated
	}
	a := c.accounts[instance]
	switch {
	case a == nil:
	case m.claim.Family != api.FamilyBurst: // a resize from burst
		c.end(instance)
		a.stop()
	case !a.running:
		a.used = 0 // a new group begins at nothing
		c.begin(instance, a)
		if m.live && a.meter != nil { // a resize to burst: what was used before is not the account's
			if used, err := a.meter.Read(); err == nil {
				a.used = used
			}
		}
		nudge(c.wake)
	}
	m.live = true
}

// begin lets a life earn and spend from now on.
func (c *Controller) begin(instance string, a *account) {
	a.running, a.at = true, c.Now()
	m, err := c.Groups.Meter(instance)
	if err != nil {
		c.Log.Error("measure CPU time", "instance", instance, "error", err)
		return
	}
	a.meter = m
}

// end lets a life earn and spend no more. What it used last is read once more.
func (c *Controller) end(instance string) {
	a := c.accounts[instance]
	if a == nil || !a.running {
		return
	}
	now, reading := c.Now(), a.used
	if a.meter != nil {
		if r, err := a.meter.Read(); err == nil {
			reading = r
		}
		_ = a.meter.Close()
		a.meter = nil
	}
	a.advance(now, reading)
	a.running, a.fast, a.measured, a.written, a.used = false, false, false, 0, 0
	a.seconds.rest()
	a.minutes.rest()
	c.saveSoon()
}

// Change implements node.CPU. Other terms are on disk when it returns: a crash
// must not bring back what the change took away.
func (c *Controller) Change(claim Claim) (Grant, error) {
	c.mu.Lock()
	before, had := c.accounts[claim.Instance]
	was := credit.Terms{}
	if had {
		was = before.terms
	}
	g, err := c.admit(claim)
	changed := err == nil && claim.Family == api.FamilyBurst && was != claim.terms()
	c.mu.Unlock()
	if !changed {
		return g, err
	}
	return g, c.save()
}

// Ended implements node.CPU.
func (c *Controller) Ended(instance string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end(instance)
	if m := c.members[instance]; m != nil {
		m.live = false
	}
}

// Release implements node.CPU.
func (c *Controller) Release(instance string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.release(instance)
}

func (c *Controller) release(instance string) {
	c.end(instance)
	// An account that was never used waits for its first start as it is.
	if a := c.accounts[instance]; a != nil && !a.settled && a.state.Spent+a.state.Balance > 0 {
		a.stop()
		c.saveSoon()
	}
	delete(c.members, instance)
	c.giveBack(instance)
}

// Forget implements node.CPU.
func (c *Controller) Forget(instance string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.release(instance)
	if _, ok := c.accounts[instance]; ok {
		delete(c.accounts, instance)
		c.forgotten = append(c.forgotten, instance)
		c.saveSoon()
	}
}

// Adopt implements node.CPU.
func (c *Controller) Adopt(claim Claim) (Grant, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := claim.Instance
	m := &member{claim: claim, live: true}
	c.members[id] = m
	if claim.Family == api.FamilyDedicated {
		return c.adoptCores(m)
	}
	// Run moves it when the list is not what it has to be by then.
	list, err := c.Groups.CPUs(id)
	if err != nil {
		return Grant{}, err
	}
	m.list = list
	g := Grant{CPUs: claim.CPUs, CPUSet: list}
	if claim.Family != api.FamilyBurst {
		return g, nil
	}
	if err := claim.terms().Validate(); err != nil {
		return g, err
	}
	c.adoptAccount(claim)
	g.CPUs = c.accounts[id].limit()
	return g, nil
}

// adoptAccount goes on with an account: what its life earned and used while
// nobody watched is made up for.
func (c *Controller) adoptAccount(claim Claim) {
	id, now := claim.Instance, c.Now()
	a, ok := c.accounts[id]
	if !ok {
		// The daemon was killed before the account was first saved.
		a = openAccount(claim.terms(), now)
		c.accounts[id] = a
	}
	if a.running {
		return
	}
	at := a.at
	c.begin(id, a)
	if at.Boot == now.Boot {
		a.at = at
	}
	if a.settled { // it was started since
		a.state, a.settled = a.state.Start(now.since(at)), false
		a.at, a.used = now, 0
	}
	a.quota, a.written = claim.CPUs, 0
	c.look(id, a, now)
	a.change(claim.terms())
	c.look(id, a, now)
	c.saveSoon()
}
