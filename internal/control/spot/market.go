package spot

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
)

// headroom is the share of a node that is kept in sight for on-demand work:
// when less is free, the spot instances that would have to leave for it are
// told so, and none that was interrupted goes on.
const headroom = 0.1

// Market is the node's room and what it costs.
type Market struct {
	Total  Room
	Share  float64       // the spot price in force, as a share of the on-demand one
	Notice time.Duration // from a notice to its deadline
	// Boot and Uptime are the time by a clock that nobody sets: how long the
	// node has run since the boot of that id. Without them the wall clock counts.
	Boot   string
	Uptime time.Duration
}

// Left is the time that a notice still leaves, negative after its deadline. It
// passes as it does for the workload, whatever the node's clock is set to; only
// after a boot, which has ended the workload anyhow, does the wall clock say.
func (m Market) Left(n *api.SpotNotice, now time.Time) time.Duration {
	if m.Boot == "" || m.Boot != n.Boot {
		return n.Deadline.Sub(now)
	}
	return n.Deadline.Sub(n.Noticed) - (m.Uptime - time.Duration(n.Uptime))
}

// Instance is what the market needs to know of one.
type Instance struct {
	ID, Name string
	// Holds is what it takes of the node now, Wants what it would take.
	Holds, Wants Room
	// Waits says that it is to start as soon as there is room, asked for at
	// Since.
	Waits bool
	Since time.Time
	// Spot is nil for an on-demand instance.
	Spot *Offer
}

// Offer is a spot instance's side of the market.
type Offer struct {
	OnDemand float64 // price per hour
	MaxPrice float64 // 0 is the on-demand price
	Action   api.Interruption
	Started  time.Time
	Frees    Room // what an interruption gives back
	// Runs says that its user wants it to run; an interruption ends that.
	Runs bool
	// Rebalance and Notice are what it was told before.
	Rebalance time.Time
	Notice    *api.SpotNotice
}

// interrupted reports whether the market has ended or frozen it for now.
func (o *Offer) interrupted() bool {
	return o.Notice != nil && !o.Notice.Done.IsZero() && o.Notice.Action != api.InterruptTerminate && !o.Runs
}

// affords reports whether its price is one that its user pays.
func (o *Offer) affords(share float64) bool { return Affords(o.OnDemand, share, o.MaxPrice) }

// Affords reports whether the price in force is at most the most to pay.
func Affords(onDemand, share, most float64) bool {
	return most == 0 || onDemand*share <= most+grain
}

// Decision is what to do now. Whatever of it is not carried out is decided
// again.
type Decision struct {
	Notices   []Announced // to be stored, before anything else is done
	Rebalance []string    // to be told that leaving is wise
	End       []string    // their deadlines have come
	Admit     []string    // there is room: they may start
	Resume    []string    // there is room again
	Waits     []Waiting   // why the others do not start yet
	Wake      time.Time   // when time alone changes something; zero is never
}

// Announced is a notice for an instance.
type Announced struct {
	ID     string
	Notice api.SpotNotice
}

// Waiting is why an instance waits.
type Waiting struct{ ID, Reason string }

// decider collects one decision.
type decider struct {
	Market
	now      time.Time
	free     Room        // now
	coming   Room        // what those that were told to leave give back
	leaving  []*Instance // they
	staying  []*Instance // spot instances that were not told
	decision Decision
}

// Decide says who must leave, who may start and who may go on. all are the
// instances that hold room, wait for it, or were interrupted. A notice that was
// given stands: nothing is done to an instance before its deadline, and no
// deadline is changed.
func Decide(m Market, all []Instance, now time.Time) Decision {
	d := &decider{Market: m, now: now, free: m.Total}
	var waiting, interrupted []*Instance
	for i := range all {
		in := &all[i]
		d.free = d.free.Minus(in.Holds)
		switch {
		case in.Waits:
			waiting = append(waiting, in)
		case in.Spot == nil:
		case in.Spot.interrupted():
			interrupted = append(interrupted, in)
		case in.Spot.Notice != nil:
			d.told(in)
		case in.Spot.Runs:
			d.staying = append(d.staying, in)
		}
	}
	d.price()
	d.admit(waiting)
	d.resume(interrupted, len(d.decision.Waits) > 0)
	d.recommend()
	return d.decision
}

// told counts an instance that was given a notice.
func (d *decider) told(in *Instance) {
	n := in.Spot.Notice
	d.leaving = append(d.leaving, in)
	d.coming = d.coming.Plus(in.Spot.Frees)
	switch {
	case !n.Done.IsZero() || !in.Spot.Runs:
	case d.Left(n, d.now) > 0:
		d.wake(d.now.Add(d.Left(n, d.now)))
	default:
		d.decision.End = append(d.decision.End, in.ID)
	}
}

// notify gives a notice.
func (d *decider) notify(in *Instance, cause api.SpotCause, message string) {
	n := api.SpotNotice{
		Action: cmp.Or(in.Spot.Action, api.InterruptTerminate), Cause: cause, Message: message,
		Noticed: d.now.Round(0), Deadline: d.now.Add(d.Notice).Round(0), // as they are stored
		Boot: d.Boot, Uptime: api.Duration(d.Uptime),
	}
	d.decision.Notices = append(d.decision.Notices, Announced{in.ID, n})
	d.wake(d.now.Add(d.Notice))
	d.coming = d.coming.Plus(in.Spot.Frees)
	d.staying = slices.DeleteFunc(d.staying, func(o *Instance) bool { return o == in })
	told := *in
	offer := *in.Spot
	offer.Notice, told.Spot = &n, &offer
	d.leaving = append(d.leaving, &told)
}

// price tells those to leave whose users do not pay what room costs now.
func (d *decider) price() {
	for _, in := range slices.Clone(d.staying) {
		if o := in.Spot; !o.affords(d.Share) {
			d.notify(in, api.CausePrice, fmt.Sprintf("the price of %.4g per hour is above the most to pay, %.4g", o.OnDemand*d.Share, o.MaxPrice))
		}
	}
}

// admit lets those in that there is room for, first come first served, and has
// room made for the others.
func (d *decider) admit(waiting []*Instance) {
	slices.SortFunc(waiting, func(a, b *Instance) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID)) })
	// What waits holds a claim already, so that nobody is let in before it.
	// Here it is what there is to be given out.
	for _, in := range waiting {
		d.free = d.free.Plus(in.Holds)
	}
	ahead := true
	avail := d.free.Plus(d.coming)
	for _, in := range waiting {
		if ahead && d.free.Covers(in.Wants) {
			d.decision.Admit = append(d.decision.Admit, in.ID)
			d.free, avail = d.free.Minus(in.Wants), avail.Minus(in.Wants)
			continue
		}
		ahead = false
		enough := true
		if need := in.Wants.Minus(avail); !(Room{}).Covers(need) {
			before := d.coming
			enough = d.reclaim(in, need)
			avail = avail.Plus(d.coming).Minus(before)
		}
		avail = avail.Minus(in.Wants)
		d.decision.Waits = append(d.decision.Waits, Waiting{in.ID, d.why(enough)})
	}
	for _, w := range d.decision.Waits {
		i := slices.IndexFunc(waiting, func(in *Instance) bool { return in.ID == w.ID })
		d.free = d.free.Minus(waiting[i].Wants)
	}
}

// reclaim gives notice to the smallest set of instances whose room is needed.
func (d *decider) reclaim(in *Instance, need Room) bool {
	victims, ok := Victims(d.candidates(func(*Instance) bool { return true }), need)
	if !ok {
		return false
	}
	for _, v := range victims {
		i := slices.IndexFunc(d.staying, func(o *Instance) bool { return o.ID == v.ID })
		d.notify(d.staying[i], api.CauseCapacity, "on-demand instance "+in.Name+" needs the room")
	}
	return true
}

func (d *decider) candidates(want func(*Instance) bool) (list []Candidate) {
	for _, in := range d.staying {
		if want(in) {
			o := in.Spot
			list = append(list, Candidate{ID: in.ID, Room: o.Frees, Price: o.OnDemand * d.Share, Started: o.Started})
		}
	}
	return list
}

// why says what an instance waits for.
func (d *decider) why(enough bool) string {
	if !enough || len(d.leaving) == 0 {
		return "there is no room for it yet"
	}
	var names []string
	last := time.Time{}
	for _, in := range d.leaving {
		names = append(names, in.Name)
		if at := in.Spot.Notice.Deadline; at.After(last) {
			last = at
		}
	}
	slices.Sort(names)
	const shown = 3
	more := ""
	if len(names) > shown {
		names, more = names[:shown], fmt.Sprintf(" and %d more", len(names)-shown)
	}
	return fmt.Sprintf("waits for room: spot %s%s must leave by %s", strings.Join(names, ", "), more, last.UTC().Format(time.RFC3339))
}

// resume lets those go on that were interrupted, longest first, as far as that
// leaves headroom.
func (d *decider) resume(interrupted []*Instance, wanted bool) {
	if wanted {
		return
	}
	slices.SortFunc(interrupted, func(a, b *Instance) int {
		return cmp.Or(a.Spot.Notice.Done.Compare(b.Spot.Notice.Done), cmp.Compare(a.ID, b.ID))
	})
	for _, in := range interrupted {
		left := d.free.Minus(in.Wants.Minus(in.Holds))
		if in.Spot.affords(d.Share) && left.Covers(d.spare()) {
			d.decision.Resume = append(d.decision.Resume, in.ID)
			d.free = left
		}
	}
}

// spare is the headroom.
func (d *decider) spare() (r Room) {
	for _, i := range []int{VCPUs, Memory} {
		r[i] = int64(float64(d.Total[i]) * headroom)
	}
	return r
}

// recommend tells those that would have to leave if on-demand work asked for
// the headroom.
func (d *decider) recommend() {
	need := d.spare().Minus(d.free.Plus(d.coming))
	if (Room{}).Covers(need) {
		return
	}
	// Nobody can be of help where nothing is held of what is short.
	victims, ok := Victims(d.candidates(func(*Instance) bool { return true }), need)
	if !ok {
		victims = d.candidates(func(in *Instance) bool {
			return slices.ContainsFunc([]int{VCPUs, Memory}, func(i int) bool { return need[i] > 0 && in.Spot.Frees[i] > 0 })
		})
	}
	for _, v := range victims {
		i := slices.IndexFunc(d.staying, func(o *Instance) bool { return o.ID == v.ID })
		if d.staying[i].Spot.Rebalance.IsZero() {
			d.decision.Rebalance = append(d.decision.Rebalance, v.ID)
		}
	}
}

func (d *decider) wake(t time.Time) {
	if d.decision.Wake.IsZero() || t.Before(d.decision.Wake) {
		d.decision.Wake = t
	}
}
