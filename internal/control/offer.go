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
		return noHibernation(in)
	}
	share, onDemand := a.Prices.Now().Share, a.Types.OnDemand(in)
	if !spot.Affords(onDemand, share, o.MaxPrice) {
		return api.Errorf(api.CodeInsufficientCapacity, "the spot price is %.4g per hour, more than %.4g", onDemand*share, o.MaxPrice).
			InField("spec.spot.maxPrice").WithHint("virga spot price shows what types cost now; without a most to pay it is the on-demand price, %.4g", onDemand)
	}
	in.Spot = &api.SpotStatus{Price: onDemand * share, Share: share, Since: time.Now().UTC()}
	return nil
}

// reprice follows a change of size of a spot instance: it costs at once what
// its new size costs at the share in force for it. One that is to leave, or has
// been interrupted, is not changed: what it gives back was counted on.
func (a *Admission) reprice(in *api.Instance) error {
	o := in.Spec.Spot
	if o == nil || in.Spot == nil {
		return nil
	}
	if in.Noticed() || in.Interrupted() {
		return api.Errorf(api.CodeConflict, "spot instance %s is being interrupted and keeps its size", in.Name).
			WithHint("virga stop %s, change it, and start it again", in.Name)
	}
	if o.Interruption == api.InterruptHibernate && in.Type != nil && in.Type.Family == api.FamilyDedicated {
		return noHibernation(in)
	}
	onDemand := a.Types.OnDemand(in)
	if Holds(in) && !spot.Affords(onDemand, in.Spot.Share, o.MaxPrice) {
		return api.Errorf(api.CodeInsufficientCapacity, "as %s it would cost %.4g per hour, more than %.4g", in.TypeName(), onDemand*in.Spot.Share, o.MaxPrice).
			InField("spec.spot.maxPrice").WithHint("virga spot price shows what types cost now")
	}
	in.Spot.Price = onDemand * in.Spot.Share
	return nil
}

// noHibernation refuses to freeze what keeps its cores then.
func noHibernation(in *api.Instance) error {
	return api.Invalid("spec.spot.interruption", "an instance of the dedicated type %s keeps its cores while it is frozen and cannot hibernate", in.Type.Name).
		WithHint("terminate or stop, or a type of another family")
}

// madeRoom is the wait of an instance that the market has not looked at yet.
func madeRoom(since time.Time) *api.Wait {
	return &api.Wait{Since: since, Reason: "room is being made for it"}
}
