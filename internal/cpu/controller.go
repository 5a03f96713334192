package cpu

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/cpu/pool"
)

// Config is what a Controller stands on. Every field is required.
type Config struct {
	Dir    string // of the journal
	Groups Groups
	Sys    fs.FS // the machine's CPUs, as at SysCPU
	// Reserve is how many CPUs always stay shared.
	Reserve int
	Turns   Turns
	Now     func() Moment
	// Changed tells of an instance that has other CPUs than it was granted,
	// with what to say to its user. It must not call the Controller.
	Changed func(instance, message string)
	Log     *slog.Logger
}

// Controller gives out a node's CPUs and keeps the accounts of its burst
// instances.
type Controller struct {
	Config

	mu         sync.Mutex
	members    map[string]*member  // +checklocks:mu instances that were admitted, by id
	accounts   map[string]*account // +checklocks:mu of burst instances, stopped ones too
	pool       *pool.Pool          // +checklocks:mu
	online     string              // +checklocks:mu the CPUs the pool is made of
	looked     time.Duration       // +checklocks:mu uptime when that was last checked
	shared     string              // +checklocks:mu what was last shared
	spreadOnce bool                // +checklocks:mu and whether it was

	forgotten []string // +checklocks:mu instances whose series are to be removed

	writing sync.Mutex
	journal *Journal // +checklocks:writing
	archive archive  // +checklocks:writing

	soon chan struct{} // something is to be saved now
	wake chan struct{} // an account needs a quicker tick
}

// member is an instance that has, or is about to have, a life.
type member struct {
	claim Claim
	list  string // its CPUs, "" for the shared ones
	live  bool   // its life runs
}

// New makes a controller that goes on from the journal in Dir. It does nothing
// by itself before Run.
func New(c Config) (*Controller, error) {
	online, err := c.Groups.Online()
	if err != nil {
		return nil, fmt.Errorf("read the CPUs: %w", err)
	}
	set, err := pool.ParseCPUSet(online)
	if err != nil {
		return nil, err
	}
	cores, err := topology(c.Sys, set)
	if err != nil {
		return nil, err
	}
	j, record, err := OpenJournal(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("open the journal of credits: %w", err)
	}
	k := &Controller{
		Config: c, members: map[string]*member{}, accounts: map[string]*account{},
		pool: pool.New(cores, c.Reserve), online: online, journal: j,
		archive: archive{filepath.Join(c.Dir, "series")},
		soon:    make(chan struct{}, 1), wake: make(chan struct{}, 1),
	}
	for id, s := range record.Accounts {
		k.accounts[id] = s.restored()
	}
	if err := k.loadSeries(); err != nil {
		c.Log.Error("read the series of CPU credits", "error", err) // the accounts count
	}
	return k, nil
}

// saveEvery bounds what a crash of the machine forgets: ten seconds of the
// largest type are less than a credit for each six vCPUs.
const saveEvery = 10 * time.Second

// Run keeps the accounts until ctx ends. It is to be called when every running
// instance was adopted.
func (c *Controller) Run(ctx context.Context) error {
	c.mu.Lock()
	err := c.spread("")
	c.mu.Unlock()
	if err != nil {
		c.Log.Error("share the CPUs", "error", err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { c.keepSaving(ctx) })
	defer wg.Wait()
	timer := time.NewTimer(slowTick)
	defer timer.Stop()
	kept := c.Now()
	for {
		select {
		case <-ctx.Done():
			return c.Turns.Close()
		case <-timer.C:
		case <-c.wake:
		}
		timer.Reset(c.tick())
		if now := c.Now(); now.since(kept) >= slowTick/2 {
			kept = now
			c.Turns.Keep(c.quotas())
		}
	}
}

// quotas are the vCPUs of running instances that may not use more, and the CPUs
// on which they run.
func (c *Controller) quotas() (vcpus map[string]float64, cpus []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	vcpus = map[string]float64{}
	for id, m := range c.members {
		a := c.accounts[id]
		switch {
		case !m.live || m.claim.Family == api.FamilyDedicated:
		case m.claim.Family == api.FamilyBurst && a != nil:
			vcpus[id] = a.written
		default:
			vcpus[id] = m.claim.CPUs
		}
	}
	return vcpus, c.pool.Shared()
}

// tick brings every account that is due up to date and returns when to look
// again.
func (c *Controller) tick() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, next := c.Now(), slowTick
	if now.Up-c.looked >= slowTick/2 {
		c.looked = now.Up
		if err := c.lookAtCPUs(); err != nil {
			c.Log.Error("look at the CPUs", "error", err)
		}
	}
	for id, a := range c.accounts {
		if !a.running {
			continue
		}
		if a.fast || now.since(a.at) >= slowTick/2 {
			c.look(id, a, now)
		}
		if a.fast {
			next = fastTick
		}
	}
	return next
}

// look reads what a running instance has used and rewrites its limit.
func (c *Controller) look(id string, a *account, now Moment) {
	reading := a.used
	if a.meter != nil {
		var err error
		if reading, err = a.meter.Read(); err != nil {
			reading = a.used // its life is over: what it still used cannot be known
		}
	}
	a.advance(now, reading)
	limit, ok := a.toWrite()
	if !ok {
		return
	}
	if err := c.Groups.SetQuota(id, limit); err != nil {
		if !a.broken {
			c.Log.Error("limit CPU", "instance", id, "vcpus", limit, "error", err)
		}
		a.broken = true
		return
	}
	a.written, a.broken = limit, false
}

func (c *Controller) keepSaving(ctx context.Context) {
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-c.soon:
		}
		if err := c.save(); err != nil {
			c.Log.Error("save CPU credits", "error", err)
		}
	}
}

func (c *Controller) save() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return errors.Join(c.journal.Save(c.record()), c.saveSeries())
}

// loadSeries gives the accounts their past.
//
// +checklocks:c.writing
func (c *Controller) loadSeries() error {
	err := c.archive.open(func(id string) bool { return c.accounts[id] != nil })
	for id, a := range c.accounts {
		samples, e := c.archive.load(id, a.minutes.keep)
		a.minutes.samples, err = samples, errors.Join(err, e)
	}
	return err
}

// saveSeries writes what the series have gained.
//
// +checklocks:c.writing
func (c *Controller) saveSeries() (err error) {
	c.mu.Lock()
	gained := map[string][]slotted{}
	for id, a := range c.accounts {
		if s := a.minutes.unsaved(); len(s) > 0 {
			gained[id] = s
		}
	}
	gone := c.forgotten
	c.forgotten = nil
	c.mu.Unlock()
	for _, id := range gone {
		err = errors.Join(err, c.archive.remove(id))
	}
	for id, samples := range gained {
		err = errors.Join(err, c.archive.write(id, samples))
	}
	return err
}

func (c *Controller) record() Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.Now()
	r := Record{Boot: now.Boot, Up: now.Up, Wall: now.Wall, Accounts: make(map[string]Saved, len(c.accounts))}
	for id, a := range c.accounts {
		r.Accounts[id] = a.save()
	}
	return r
}

// saveSoon has the journal written without waiting for it.
func (c *Controller) saveSoon() { nudge(c.soon) }

func nudge(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// Close writes the journal for the last time. Limits stay as they are.
func (c *Controller) Close() error {
	c.mu.Lock()
	now := c.Now()
	for id, a := range c.accounts {
		if a.running {
			c.look(id, a, now)
		}
	}
	c.mu.Unlock()
	err := c.save()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range c.accounts {
		if a.meter != nil {
			err = errors.Join(err, a.meter.Close())
			a.meter = nil
		}
	}
	return err
}

// Credits is the account of a burst instance; false for another.
func (c *Controller) Credits(instance string) (api.CPUCredits, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.accounts[instance]
	if !ok {
		return api.CPUCredits{}, false
	}
	return a.credits(), true
}

// Series is an account's past, oldest first: each second of the last ten
// minutes, or each five minutes of the last two weeks.
func (c *Controller) Series(instance string, step time.Duration) []api.CreditSample {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.accounts[instance]
	if !ok {
		return nil
	}
	if step == a.seconds.step {
		return a.seconds.all()
	}
	return a.minutes.all()
}

// Capacity is the arithmetic of dedicated cores, in CPUs.
type Capacity struct {
	Online  int // all there are
	Free    int // can still be dedicated
	Shared  int // are not dedicated now
	PerCore int // what a dedicated vCPU is rounded up to
}

// Capacity says what can be dedicated.
func (c *Controller) Capacity() Capacity {
	c.mu.Lock()
	defer c.mu.Unlock()
	all, perCore := c.pool.Threads()
	return Capacity{Online: all, Free: c.pool.Free(), Shared: len(c.pool.Shared()), PerCore: perCore}
}
