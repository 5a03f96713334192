package control

import (
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/spot"
)

// offer takes a spot instance into the market at the price in force, before a
// new life. What was announced to an earlier life is over.
func (a *Admission) offer(in *api.Instance) error {
	o := in.Spec.Spot
	if o == nil {
		in.Spot = nil
		return nil
	}
	if o.Interruption == api.InterruptHibernate && in.Type != nil && in.Type.Family == api.FamilyDedicated {
		return api.Invalid("spec.spot.interruption", "an instance of the dedicated type %s keeps its cores while it is frozen and cannot hibernate", in.Type.Name).
			WithHint("terminate or stop, or a type of another family")
	}
	share, onDemand := a.Prices.Now().Share, a.Types.OnDemand(in)
	if !spot.Affords(onDemand, share, o.MaxPrice) {
		return api.Errorf(api.CodeInsufficientCapacity, "the spot price is %.4g per hour, more than %.4g", onDemand*share, o.MaxPrice).
			InField("spec.spot.maxPrice").WithHint("virga spot price shows what types cost now; without a most to pay it is the on-demand price, %.4g", onDemand)
	}
	in.Spot = &api.SpotStatus{Price: onDemand * share, Share: share, Since: time.Now().UTC()}
	return nil
}

// madeRoom is the wait of an instance that the market has not looked at yet.
func madeRoom(since time.Time) *api.Wait {
	return &api.Wait{Since: since, Reason: "room is being made for it"}
}
