package catalogue

import (
	"math"
	"regexp"

	"github.com/virga-cloud/virga/api"
)

const (
	maxVCPUs  = 1024
	minMemory = 6 << 20
	maxMemory = 64 << 40
)

// namePattern is family.size or one word for a type of the operator's own.
var namePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30})(\.[a-z0-9]([a-z0-9-]{0,30}))?$`)

// Validate refuses a type whose parts are absurd or contradict each other.
func Validate(t api.InstanceType) error {
	for _, check := range []func(api.InstanceType) error{validateSize, validateFamily, validateIO} {
		if err := check(t); err != nil {
			return err
		}
	}
	return nil
}

func validateSize(t api.InstanceType) error {
	switch {
	case !namePattern.MatchString(t.Name):
		return api.Invalid("name", "type name %q: want family.size in lower-case letters, digits and dashes, such as shared.web", t.Name)
	case math.IsNaN(t.VCPUs) || t.VCPUs < 0.1 || t.VCPUs > maxVCPUs:
		return api.Invalid("vcpus", "type %s: vcpus %v: must be from 0.1 to %d", t.Name, t.VCPUs, maxVCPUs)
	case t.Memory < minMemory || t.Memory > maxMemory:
		return api.Invalid("memory", "type %s: memory %s: must be from %s to %s", t.Name,
			api.FormatBytes(t.Memory), api.FormatBytes(minMemory), api.FormatBytes(maxMemory))
	}
	return goodPrice("pricePerHour", "type "+t.Name+": ", t.PricePerHour)
}

func validateFamily(t api.InstanceType) error {
	whole := t.VCPUs == math.Trunc(t.VCPUs)
	switch t.Family {
	case api.FamilyBurst:
		switch {
		case !whole:
			return api.Invalid("vcpus", "type %s: vcpus %v: a burst type has whole vCPUs, and earns by its baseline", t.Name, t.VCPUs)
		case math.IsNaN(t.Baseline) || t.Baseline < 0.01 || t.Baseline > 1:
			return api.Invalid("baseline", "type %s: baseline %v: must be from 0.01 to 1, the share of each vCPU that is earned", t.Name, t.Baseline)
		case t.CreditMode != api.CreditStandard && t.CreditMode != api.CreditUnlimited:
			return api.Invalid("creditMode", "type %s: creditMode %q: must be standard or unlimited", t.Name, t.CreditMode)
		case t.Quota:
			return api.Invalid("quota", "type %s: a burst type has no quota of its own: its credits decide", t.Name)
		case t.Weight != 0:
			return api.Invalid("weight", "type %s: a burst type has no weight: its credits decide", t.Name)
		}
	case api.FamilyShared:
		if t.Weight < 2 || t.Weight > 262144 {
			return api.Invalid("weight", "type %s: weight %d: must be from 2 to 262144; 1024 is the weight of one vCPU", t.Name, t.Weight)
		}
	case api.FamilyDedicated:
		switch {
		case !whole:
			return api.Invalid("vcpus", "type %s: vcpus %v: a dedicated type has whole cores", t.Name, t.VCPUs)
		case t.Weight != 0 || t.Quota:
			return api.Invalid("weight", "type %s: a dedicated type shares nothing: it has neither weight nor quota", t.Name)
		}
	default:
		return api.Invalid("family", "type %s: family %q: must be burst, shared or dedicated", t.Name, t.Family)
	}
	if t.Family != api.FamilyBurst && (t.Baseline != 0 || t.CreditMode != "") {
		return api.Invalid("baseline", "type %s: baseline and creditMode belong to burst types", t.Name)
	}
	return nil
}

func validateIO(t api.InstanceType) error {
	b := t.BlockIO
	for _, l := range []struct {
		field string
		limit int64
	}{
		{"networkBps", t.NetworkBPS}, {"readBps", b.ReadBPS}, {"writeBps", b.WriteBPS}, {"readOps", b.ReadOPS}, {"writeOps", b.WriteOPS},
	} {
		if l.limit < 0 {
			return api.Invalid(l.field, "type %s: %s %d: is negative; 0 is no limit", t.Name, l.field, l.limit)
		}
	}
	if t.Disk != 0 {
		return api.ValidateDiskSize("disk", t.Disk)
	}
	return nil
}
