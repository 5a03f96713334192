package control

import (
	"cmp"
	"math"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/spot"
)

// micro is how many parts of a spot.Room are a vCPU.
const micro = 1e6

// room is a claim as the spot market counts: a request fits the ledger exactly
// when it fits in every part.
func (s Supply) room(c claim) spot.Room {
	r := spot.Room{spot.Memory: c.memory}
	if c.class == api.FamilyDedicated {
		cores := parts(c.vcpus)
		r[spot.VCPUs], r[spot.Baseline], r[spot.Cores] = cores, cores, cores
		return r
	}
	r[spot.VCPUs], r[spot.Baseline] = parts(c.vcpus/s.overcommit()), parts(c.baseline)
	return r
}

// total is the whole node as a room. What is not enforced never runs out.
func (s Supply) total() spot.Room {
	const plenty = math.MaxInt64 / 4
	all := s.Capacity.Allocatable
	r := spot.Room{plenty, plenty, plenty, plenty}
	if all.VCPUs > 0 {
		r[spot.VCPUs], r[spot.Baseline] = parts(all.VCPUs), parts(all.VCPUs)
		r[spot.Cores] = parts(s.Capacity.Physical.VCPUs - float64(max(s.ThreadsPerCore, 1)))
	}
	if all.Memory > 0 {
		r[spot.Memory] = all.Memory
	}
	return r
}

func (s Supply) overcommit() float64 { return cmp.Or(s.Overcommit, 1) }

func parts(vcpus float64) int64 { return int64(math.Round(vcpus * micro)) }

// remains is what is left of a claim when its instance is interrupted: the
// memory of one that is frozen.
func remains(c claim, action api.Interruption) claim {
	if action == api.InterruptHibernate && c.class != "" {
		return claim{class: c.class, memory: c.memory}
	}
	return claim{}
}

// frozen reports whether the market has frozen an instance, which then holds
// nothing but its memory.
func frozen(in *api.Instance) bool {
	return in.Interrupted() && in.Spot.Notice.Action == api.InterruptHibernate && in.Status.Phase == api.PhasePaused
}

// Market is all that the spot market has to know of the node's instances.
func (a *Admission) Market() (total spot.Room, all []spot.Instance) {
	for _, in := range a.Store.Instances.Views() {
		if in.Node != a.Node {
			continue
		}
		held := a.held(in)
		waits := in.Desired.Waits != nil && in.Desired.State == api.DesiredRunning && in.Status.Life < in.Desired.Life && !in.Desired.Remove
		if held.class == "" && !in.Interrupted() && !in.Noticed() {
			continue
		}
		whole := a.Supply.claimOf(in)
		m := spot.Instance{ID: in.ID, Name: in.Name, Holds: a.Supply.room(held), Wants: a.Supply.room(whole), Waits: waits}
		if waits {
			m.Since = in.Desired.Waits.Since
		}
		if o := in.Spec.Spot; o != nil {
			offer := &spot.Offer{
				OnDemand: a.Types.OnDemand(in), MaxPrice: o.MaxPrice, Action: o.Interruption, Started: in.Status.Started,
				Frees: a.Supply.room(held).Minus(a.Supply.room(remains(held, o.Interruption))),
				Runs:  in.Desired.State != api.DesiredStopped && !in.Desired.Remove && !in.Interrupted(),
			}
			if in.Spot != nil {
				offer.Rebalance, offer.Notice = in.Spot.Rebalance, in.Spot.Notice
			}
			m.Spot = offer
		}
		all = append(all, m)
	}
	return a.Supply.total(), all
}
