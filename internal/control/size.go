package control

import (
	"github.com/virga-cloud/virga/api"
)

// size sets an instance's Type to a copy of the one its spec names, or to a
// custom one, and refuses limits that the type contradicts.
func (a *Admission) size(in *api.Instance) error {
	s := &in.Spec
	if s.Type == "" {
		if s.CreditMode != "" {
			return api.Invalid("spec.creditMode", "credits belong to burst types, and no type is named").
				WithHint("name one, such as burst.small")
		}
		in.Type = a.Types.Custom(s.Resources)
		return nil
	}
	t, err := a.Types.Find(s.Type)
	if err != nil {
		return err
	}
	if t.CreditMode, err = creditMode(t, s.CreditMode); err != nil {
		return err
	}
	in.Type = &t
	return agree(in)
}

// agree refuses a spec whose limits contradict the instance's type.
func agree(in *api.Instance) error {
	t := in.Type
	if t == nil || t.Family == api.FamilyCustom {
		return nil
	}
	r := in.Spec.Resources
	no := func(field, format string, args ...any) error {
		return api.Invalid("spec.resources."+field, format, args...).
			WithHint("leave the limit out, or choose another type: virga type ls; virga resize changes the type of an instance")
	}
	switch {
	case r.Memory != 0 && r.Memory != t.Memory:
		return no("memory", "memory %s contradicts the type %s, which has %s", bytes(r.Memory), t.Name, bytes(t.Memory))
	case r.Disk != 0 && t.Disk != 0 && r.Disk < t.Disk:
		return no("disk", "disk %s contradicts the type %s, which has %s", bytes(r.Disk), t.Name, bytes(t.Disk))
	case r.CPUs != 0 && r.CPUs != t.VCPUs:
		return no("cpus", "cpus %v contradicts the type %s, which has %v", r.CPUs, t.Name, t.VCPUs)
	case r.CPUShares != 0 && t.Family == api.FamilyShared && r.CPUShares != t.Weight:
		return no("cpuShares", "cpuShares %d contradicts the type %s, which weighs %d", r.CPUShares, t.Name, t.Weight)
	case r.CPUShares != 0 && t.Family == api.FamilyDedicated:
		return no("cpuShares", "cpuShares %d contradicts the type %s, which shares its cores with nobody", r.CPUShares, t.Name)
	case r.CPUSet != "" && t.Family == api.FamilyDedicated:
		return no("cpuSet", "cpuSet %s contradicts the type %s: the node chooses the cores of a dedicated type", r.CPUSet, t.Name)
	}
	for _, l := range []struct {
		field       string
		asked, have int64
	}{
		{"readBps", r.BlockIO.ReadBPS, t.BlockIO.ReadBPS}, {"writeBps", r.BlockIO.WriteBPS, t.BlockIO.WriteBPS},
		{"readOps", r.BlockIO.ReadOPS, t.BlockIO.ReadOPS}, {"writeOps", r.BlockIO.WriteOPS, t.BlockIO.WriteOPS},
		{"weight", int64(r.BlockIO.Weight), int64(t.BlockIO.Weight)},
	} {
		if l.asked != 0 && l.have != 0 && l.asked != l.have {
			return no("blockIO."+l.field, "blockIO.%s %d contradicts the type %s, which has %d", l.field, l.asked, t.Name, l.have)
		}
	}
	for field, asked := range map[string]int64{"ingressBps": r.NetworkRate.IngressBPS, "egressBps": r.NetworkRate.EgressBPS} {
		if asked != 0 && t.NetworkBPS != 0 && asked != t.NetworkBPS {
			return no("networkRate."+field, "networkRate.%s %d contradicts the type %s, which has %d each way", field, asked, t.Name, t.NetworkBPS)
		}
	}
	limits := in.Limits()
	return validateMemory("spec.resources", &limits)
}

// setCreditMode changes what an instance does without credits.
func setCreditMode(i *api.Instance, mode api.CreditMode) error {
	t := api.CustomType(i.Spec.Resources)
	if i.Type != nil {
		copied := *i.Type
		t = &copied
	}
	var err error
	if t.CreditMode, err = creditMode(*t, mode); err != nil {
		return err
	}
	i.Spec.CreditMode, i.Type = mode, t
	return nil
}

func creditMode(t api.InstanceType, asked api.CreditMode) (api.CreditMode, error) {
	switch asked {
	case "":
		return t.CreditMode, nil
	case api.CreditStandard, api.CreditUnlimited:
		if t.Family == api.FamilyBurst {
			return asked, nil
		}
		return "", api.Invalid("spec.creditMode", "credits belong to burst types, and %s is a %s type", t.Name, t.Family)
	}
	return "", api.Invalid("spec.creditMode", "unknown credit mode %q", asked).WithHint("standard or unlimited")
}
