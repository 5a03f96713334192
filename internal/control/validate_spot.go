package control

import (
	"math"

	"github.com/virga-cloud/virga/api"
)

// maxUserData is what EC2 allows, in bytes.
const maxUserData = 16 << 10

func validateSpot(s *api.InstanceSpec) error {
	o := s.Spot
	if o == nil {
		return nil
	}
	if math.IsNaN(o.MaxPrice) || math.IsInf(o.MaxPrice, 0) || o.MaxPrice < 0 {
		return api.Invalid("spec.spot.maxPrice", "price %v is not a number from 0 up", o.MaxPrice).
			WithHint("virga spot price shows what types cost now")
	}
	switch o.Interruption {
	case "", api.InterruptTerminate, api.InterruptStop, api.InterruptHibernate:
	default:
		return api.Invalid("spec.spot.interruption", "unknown interruption %q", o.Interruption).
			WithHint("one of terminate, stop, hibernate")
	}
	if s.AutoRemove && o.Interruption != "" && o.Interruption != api.InterruptTerminate {
		return api.Invalid("spec.spot.interruption", "an instance that is removed when it stops cannot %s", o.Interruption).
			WithHint("leave out one of autoRemove (--rm) and interruption")
	}
	if o.Signal != "" && !ValidSignal(o.Signal) {
		return api.Invalid("spec.spot.signal", "unknown signal %q", o.Signal).
			WithHint("a name such as SIGUSR1, or a number from 1 to 64")
	}
	return validateStrings("spec.spot.hook", o.Hook)
}

func validateMetadata(s *api.InstanceSpec) error {
	m := s.Metadata
	switch m.Mode {
	case "", api.MetadataV1, api.MetadataV2, api.MetadataOff:
	default:
		return api.Invalid("spec.metadata.mode", "unknown mode %q of the metadata service", m.Mode).
			WithHint("one of v1, v2, off")
	}
	if m.HopLimit < 0 || m.HopLimit > 64 {
		return api.Invalid("spec.metadata.hopLimit", "hop limit %d is not between 1 and 64", m.HopLimit)
	}
	if n := s.Networks; len(n) > 0 && (n[0].Network == api.NetworkNone || n[0].Network == api.NetworkHost) {
		const hint = "attach it to another network, or leave it out"
		if m.Mode == api.MetadataV1 || m.Mode == api.MetadataV2 {
			return api.Invalid("spec.metadata.mode", "an instance on network %s cannot reach the metadata service", n[0].Network).WithHint(hint)
		}
		if len(s.UserData) > 0 {
			return api.Invalid("spec.userData", "an instance on network %s cannot reach the metadata service to read user data", n[0].Network).WithHint(hint)
		}
	}
	if len(s.UserData) > maxUserData {
		return api.Invalid("spec.userData", "user data of %d bytes is more than %d", len(s.UserData), maxUserData).
			WithHint("have it fetch what is larger")
	}
	return nil
}
