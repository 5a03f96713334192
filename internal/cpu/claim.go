package cpu

import (
	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/cpu/credit"
)

// Claim is what an instance is to have of the node's CPUs.
type Claim struct {
	Instance string // id
	Family   api.Family
	VCPUs    float64 // of the type; whole for burst and dedicated
	// Baseline and Unlimited are a burst type's.
	Baseline  float64
	Unlimited bool
	// Limits are the instance's own: a quota, and the CPUs it may use.
	CPUs   float64 // 0 is no quota
	CPUSet string  // "" is all of the shared pool
}

// Grant is what the engine is to start or update the instance with.
type Grant struct {
	CPUs   float64 // quota in vCPUs, 0 is none
	CPUSet string  // "" is where all that have no set of their own run
	// Cores are the CPUs that nobody else has, "" for none.
	Cores string
	// Warnings name what was asked for and is not to be had.
	Warnings []string
}

// Of is the claim of an instance of type t (nil for none), with its own limits
// and credit mode, which win over the type's.
func Of(instance string, t *api.InstanceType, mode api.CreditMode, r api.Resources) Claim {
	c := Claim{Instance: instance, Family: api.FamilyCustom, VCPUs: r.CPUs, CPUs: r.CPUs, CPUSet: r.CPUSet}
	if t == nil {
		return c
	}
	c.Family, c.VCPUs = t.Family, t.VCPUs
	if mode == "" {
		mode = t.CreditMode
	}
	c.Baseline, c.Unlimited = t.Baseline, mode == api.CreditUnlimited
	return c
}

func (c Claim) terms() credit.Terms {
	return credit.Terms{VCPUs: max(int(c.VCPUs), 1), Baseline: c.Baseline, Unlimited: c.Unlimited}
}
