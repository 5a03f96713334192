package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control"
	"github.com/virga-cloud/virga/internal/control/spot"
	"github.com/virga-cloud/virga/internal/control/store"
)

// Spot is the controller of the spot market: it carries out what control/spot
// decides and is the only writer of instances' Spot and of prices. A notice is
// one durable write with its deadline in it; whatever is interrupted after
// that write is done when the deadline comes, by whichever daemon runs then.
type Spot struct {
	Store     *store.Store
	Admission *control.Admission
	// Notice is the time from a notice to its deadline, Every the least time
	// between two prices.
	Notice, Every time.Duration
	// Record appends an event; it must not block for long.
	Record func(api.Event)
	Now    func() time.Time
	// Uptime is how long the node has run since the boot of that id, by a clock
	// that nobody sets; nil counts by Now.
	Uptime func() (boot string, since time.Duration)
	Log    *slog.Logger
}

// market is the one key of the loop: every instance concerns all others.
const market = "market"

// Controller is the loop over the one market there is.
func (c *Spot) Controller() Controller {
	loop := &Loop{
		Inputs: []Input{{c.Store.Instances.Watch, func(string) string { return market }}},
		All:    func() []string { return []string{market} },
		Step:   c.Step,
		Log:    c.Log,
	}
	return Controller{Name: "spot", Run: loop.Run}
}

// Step makes one decision and carries it out. Notices come first.
func (c *Spot) Step(ctx context.Context, _ string) (wake time.Time, err error) {
	now := c.Now().UTC()
	total, all := c.Admission.Market()
	wake, err = c.reprice(ctx, now)
	if err != nil {
		return wake, err
	}
	m := spot.Market{Total: total, Share: c.Admission.Prices.Now().Share, Notice: c.Notice}
	if c.Uptime != nil {
		m.Boot, m.Uptime = c.Uptime()
	}
	d := spot.Decide(m, all, now)
	if err := c.notify(ctx, d.Notices); err != nil {
		return wake, err
	}
	for _, id := range d.Rebalance {
		if err := c.recommend(ctx, id, now); err != nil {
			return wake, fmt.Errorf("recommend %s to leave: %w", id, err)
		}
	}
	for _, id := range d.End {
		if err := c.end(ctx, id, m, now); err != nil {
			return wake, fmt.Errorf("interrupt %s: %w", id, err)
		}
	}
	for _, id := range d.Admit {
		if _, err := c.Admission.Admit(ctx, id); err != nil && api.CodeOf(err) != api.CodeNotFound {
			return wake, fmt.Errorf("let %s start: %w", id, err)
		}
	}
	for _, id := range d.Resume {
		if err := c.resume(ctx, id); err != nil {
			return wake, fmt.Errorf("resume %s: %w", id, err)
		}
	}
	c.explain(d.Waits)
	if !d.Wake.IsZero() && (wake.IsZero() || d.Wake.Before(wake)) {
		wake = d.Wake
	}
	return wake, nil
}

// noticesAtOnce bounds the notices that are being written: together they wait
// for the disk once instead of once each.
const noticesAtOnce = 64

// notify stores notices, side by side.
func (c *Spot) notify(ctx context.Context, all []spot.Announced) error {
	var writes errgroup.Group
	writes.SetLimit(noticesAtOnce)
	for _, n := range all {
		writes.Go(func() error {
			if err := c.write(ctx, n.ID, notify(n.Notice)); err != nil {
				return fmt.Errorf("give notice to %s: %w", n.ID, err)
			}
			return nil
		})
	}
	return writes.Wait()
}

// write changes an instance durably. One that is gone, or no longer what was
// decided about, is left alone.
func (c *Spot) write(ctx context.Context, id string, change func(*api.Instance) error) error {
	_, err := c.Store.Instances.Update(ctx, id, change)
	if errors.Is(err, errDone) || api.CodeOf(err) == api.CodeNotFound {
		return nil
	}
	return err
}

// notify stores a notice. One that is there stays as it is.
func notify(n api.SpotNotice) func(*api.Instance) error {
	return func(i *api.Instance) error {
		if i.Spec.Spot == nil || i.Noticed() || i.Desired.Remove {
			return errDone
		}
		if i.Spot == nil {
			i.Spot = &api.SpotStatus{}
		}
		i.Spot.Notice = &n
		return nil
	}
}

func (c *Spot) recommend(ctx context.Context, id string, now time.Time) error {
	told := false
	err := c.write(ctx, id, func(i *api.Instance) error {
		told = false
		if i.Spot == nil || !i.Spot.Rebalance.IsZero() {
			return errDone
		}
		i.Spot.Rebalance, told = now, true
		return nil
	})
	if told && err == nil {
		c.record(id, "rebalance", "leaving is recommended: the room on the node runs short", nil)
	}
	return err
}

// end does what a notice announced, at its deadline and not before.
func (c *Spot) end(ctx context.Context, id string, m spot.Market, now time.Time) error {
	var done *api.SpotNotice
	err := c.write(ctx, id, func(i *api.Instance) error {
		done = nil
		if !i.Noticed() || !i.Spot.Notice.Done.IsZero() || m.Left(i.Spot.Notice, now) > 0 || i.Desired.State == api.DesiredStopped {
			return errDone
		}
		n := i.Spot.Notice
		n.Done, done = now.Round(0), n
		switch {
		case n.Action == api.InterruptHibernate && !i.Status.Phase.Ended():
			i.Desired.State = api.DesiredPaused
		case n.Action == api.InterruptTerminate:
			i.Desired.State, i.Desired.Remove = api.DesiredStopped, true
		default:
			i.Desired.State = api.DesiredStopped
		}
		return nil
	})
	if err == nil && done != nil {
		c.record(id, "interrupt", done.Message, map[string]string{"action": string(done.Action), "cause": string(done.Cause)})
	}
	return err
}

// resume lets an interrupted instance go on, if the room is still there.
func (c *Spot) resume(ctx context.Context, id string) error {
	_, err := c.Admission.Resume(ctx, id)
	switch api.CodeOf(err) {
	case api.CodeNotFound, api.CodeConflict, api.CodeInsufficientCapacity:
		return nil // the next change of anything brings us back
	}
	if err == nil {
		c.record(id, "resume", "there is room again", nil)
	}
	return err
}

// explain tells those that wait what for.
func (c *Spot) explain(waits []spot.Waiting) {
	for _, w := range waits {
		in, err := c.Store.Instances.View(w.ID)
		if err != nil || in.Desired.Waits == nil || in.Desired.Waits.Reason == w.Reason {
			continue
		}
		// An error says that it is gone.
		_ = c.Store.Instances.Observe(w.ID, func(i *api.Instance) {
			if i.Desired.Waits != nil {
				i.Desired.Waits.Reason = w.Reason
			}
		})
	}
}

// reprice sets the price that follows the utilisation, not too often, and has
// every spot instance say what it costs. wake is when the price may change.
func (c *Spot) reprice(ctx context.Context, now time.Time) (wake time.Time, err error) {
	last := c.Admission.Prices.Now()
	utilisation := c.Admission.Utilisation()
	// To a hundredth, so that small changes are none.
	share := math.Round(spot.Price(utilisation)*100) / 100
	if share != last.Share || last.Time.IsZero() {
		if due := last.Time.Add(c.Every); now.Before(due) {
			wake = due
		} else {
			last = api.SpotPoint{Time: now, Utilisation: math.Round(utilisation*1e4) / 1e4, Share: share}
			if err := c.Admission.Prices.Set(ctx, last); err != nil {
				return wake, fmt.Errorf("set the spot price: %w", err)
			}
		}
	}
	for _, in := range c.Store.Instances.Views() {
		if in.Spot == nil || in.Spot.Share == last.Share || in.Spec.Spot == nil {
			continue
		}
		price := c.Admission.Types.OnDemand(in) * last.Share
		_ = c.Store.Instances.Observe(in.ID, func(i *api.Instance) {
			if i.Spot != nil {
				i.Spot.Price, i.Spot.Share, i.Spot.Since = price, last.Share, last.Time
			}
		})
	}
	return wake, nil
}

// record appends an event about an instance.
func (c *Spot) record(id, action, message string, attrs map[string]string) {
	e := api.Event{Time: c.Now(), Kind: "instance", Action: action, ID: id, Message: message, Attrs: attrs}
	if in, err := c.Store.Instances.View(id); err == nil {
		e.Name, e.Project = in.Name, in.Project
	}
	c.Record(e)
}
