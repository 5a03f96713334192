package api

import "time"

// Spot is the purchase option of an instance that runs on what on-demand
// instances have not reserved, for a price that follows the node's
// utilisation. It may be interrupted, after a notice.
type Spot struct {
	// MaxPrice is the most to pay for an hour. Above it the instance is
	// interrupted; the price never rises above the on-demand one.
	MaxPrice float64 `json:"maxPrice,omitempty" minimum:"0" doc:"Most to pay for an hour; default the on-demand price"`
	// Interruption is what happens at the deadline of a notice.
	Interruption Interruption `json:"interruption,omitempty" enum:"terminate,stop,hibernate" doc:"What happens at the deadline of a notice; default terminate"`
	// Signal is sent to the workload's first process with the notice.
	Signal string `json:"signal,omitempty" doc:"Signal that tells the workload of a notice; default none"`
	// Hook is run in the instance with the notice, and may take until the
	// deadline.
	Hook []string `json:"hook,omitempty" doc:"Command run in the instance on a notice"`
}

// Interruption is what is done to a spot instance whose room is needed.
type Interruption string

const (
	// InterruptTerminate ends the instance and removes it.
	InterruptTerminate Interruption = "terminate"
	// InterruptStop ends its workload. It is started again when there is room.
	InterruptStop Interruption = "stop"
	// InterruptHibernate freezes it: it gives its vCPUs back, keeps its memory,
	// and goes on when there is room.
	InterruptHibernate Interruption = "hibernate"
)

// SpotStatus is what the market has decided for a spot instance. Only the
// market's controller writes it.
type SpotStatus struct {
	// Price is what an hour costs since Since: the on-demand price times Share.
	Price float64   `json:"price"`
	Share float64   `json:"share"` // 0.1 to 1
	Since time.Time `json:"since,omitzero"`
	// Rebalance is when it was recommended to leave, because the room on the
	// node runs short; zero where it was not.
	Rebalance time.Time `json:"rebalance,omitzero"`
	// Notice is the interruption that was announced, nil for none.
	Notice *SpotNotice `json:"notice,omitempty"`
}

// SpotNotice announces an interruption. Once stored it is not changed and not
// withdrawn: nothing is done to the instance before Deadline.
type SpotNotice struct {
	Action   Interruption `json:"action" enum:"terminate,stop,hibernate"`
	Cause    SpotCause    `json:"cause" enum:"capacity,price"`
	Message  string       `json:"message"` // why, for people
	Noticed  time.Time    `json:"noticed"`
	Deadline time.Time    `json:"deadline"`
	// Boot and Uptime are when the notice was given by a clock that nobody
	// sets: how long the node had run since the boot of that id, without what
	// it slept. The time to the deadline is counted by it.
	Boot   string   `json:"boot,omitempty"`
	Uptime Duration `json:"uptime,omitempty"`
	// Done is when the action was asked for, at Deadline or later; zero before.
	Done time.Time `json:"done,omitzero"`
}

// SpotCause is why a spot instance is interrupted.
type SpotCause string

const (
	CauseCapacity SpotCause = "capacity" // on-demand work needs the room
	CausePrice    SpotCause = "price"    // the price is above the most to pay
)

// SpotMarket is what spare capacity costs now.
type SpotMarket struct {
	Node string `json:"node"`
	// Utilisation is the share of the node's vCPUs or memory, whichever is
	// more, that is promised: 0 to 1.
	Utilisation float64 `json:"utilisation"`
	// Share is the spot price as a share of the on-demand one, since Since.
	Share float64     `json:"share"`
	Since time.Time   `json:"since,omitzero"`
	Types []SpotPrice `json:"types"`
}

// SpotPrice is what a type costs.
type SpotPrice struct {
	Type     string  `json:"type"`
	OnDemand float64 `json:"onDemand"` // per hour
	Spot     float64 `json:"spot"`     // per hour
}

// SpotPoint is a change of the price.
type SpotPoint struct {
	Time        time.Time `json:"time"`
	Utilisation float64   `json:"utilisation"`
	Share       float64   `json:"share"`
}

// Purchase is how a group whose template is a spot instance mixes both
// purchase options.
type Purchase struct {
	OnDemandBase    int `json:"onDemandBase,omitempty" minimum:"0" doc:"Instances that are on-demand before any is spot"`
	OnDemandPercent int `json:"onDemandPercent,omitempty" minimum:"0" maximum:"100" doc:"Per cent of those beyond the base that are on-demand, rounded up"`
}

// Interrupted reports whether the market has ended or frozen the instance, to
// let it go on when there is room.
func (i *Instance) Interrupted() bool {
	return i.Spot != nil && i.Spot.Notice != nil && !i.Spot.Notice.Done.IsZero() && !i.Desired.Remove && i.Desired.State != DesiredRunning
}

// Noticed reports whether an interruption of the instance was announced that
// still lies ahead or is under way.
func (i *Instance) Noticed() bool { return i.Spot != nil && i.Spot.Notice != nil }
