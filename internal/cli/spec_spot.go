package cli

import (
	"github.com/spf13/pflag"
	"github.com/virga-cloud/virga/api"
)

// spotFlags buy spare capacity.
type spotFlags struct {
	spot         bool
	maxPrice     float64
	interruption string
	signal       string
	hook         string
}

func (s *spotFlags) register(f *pflag.FlagSet) {
	f.BoolVar(&s.spot, "spot", false, "run on spare capacity, for less; see virga spot price")
	f.Float64Var(&s.maxPrice, "max-price", 0, "most to pay for an `hour` of spot (default the on-demand price)")
	f.StringVar(&s.interruption, "spot-interruption", "", "`action` at the deadline of a notice: terminate, stop, hibernate (default terminate)")
	f.StringVar(&s.signal, "spot-signal", "", "`signal` that tells the workload of a notice (default none)")
	f.StringVar(&s.hook, "spot-hook", "", "shell `command` run in the instance on a notice")
}

func (s *spotFlags) apply(f *pflag.FlagSet, spec *api.InstanceSpec) error {
	if !s.spot {
		for _, name := range []string{"max-price", "spot-interruption", "spot-signal", "spot-hook"} {
			if f.Changed(name) {
				return api.Invalid("spec.spot", "--%s is of a spot instance", name).WithHint("add --spot")
			}
		}
		return nil
	}
	if f.Changed("max-price") && s.maxPrice <= 0 {
		return api.Invalid("spec.spot.maxPrice", "--max-price %v is not more than 0", s.maxPrice).WithHint("leave it out to pay at most the on-demand price")
	}
	spec.Spot = &api.Spot{MaxPrice: s.maxPrice, Interruption: api.Interruption(s.interruption), Signal: s.signal}
	if s.hook != "" {
		spec.Spot.Hook = []string{"/bin/sh", "-c", s.hook}
	}
	return nil
}
