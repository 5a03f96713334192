package api

import (
	"strconv"
	"strings"
)

// sharesPerVCPU is the weight of one vCPU among shared types.
const sharesPerVCPU = 1024

// Limits are what the kernel is to enforce: what the instance's type fixes,
// and the spec's resources for the rest. Without a quota, CPUs is 0.
func (i *Instance) Limits() Resources {
	r := i.Spec.Resources
	t := i.Type
	if t == nil || t.Family == FamilyCustom {
		return r
	}
	r.Memory = t.Memory
	r.Disk = max(r.Disk, t.Disk) // a type's size is where a disk begins: it may grow
	switch t.Family {
	case FamilyBurst:
		r.CPUs = t.VCPUs
	case FamilyShared:
		r.CPUShares = t.Weight
		if t.Quota {
			r.CPUs = t.VCPUs
		}
	case FamilyDedicated:
		r.CPUs, r.CPUShares = 0, int64(t.VCPUs*sharesPerVCPU)
	}
	for _, f := range []struct {
		to   *int64
		from int64
	}{
		{&r.BlockIO.ReadBPS, t.BlockIO.ReadBPS}, {&r.BlockIO.WriteBPS, t.BlockIO.WriteBPS},
		{&r.BlockIO.ReadOPS, t.BlockIO.ReadOPS}, {&r.BlockIO.WriteOPS, t.BlockIO.WriteOPS},
	} {
		if f.from > 0 {
			*f.to = f.from
		}
	}
	if t.BlockIO.Weight > 0 {
		r.BlockIO.Weight = t.BlockIO.Weight
	}
	if t.NetworkBPS > 0 {
		r.NetworkRate = NetworkRate{IngressBPS: t.NetworkBPS, EgressBPS: t.NetworkBPS}
	}
	return r
}

// CustomType is the type of an instance with free-form limits: custom, then
// its quota and its memory where it has them, such as custom-0.5-256m.
func CustomType(r Resources) *InstanceType {
	parts := []string{string(FamilyCustom)}
	if r.CPUs > 0 {
		parts = append(parts, strconv.FormatFloat(r.CPUs, 'g', -1, 64))
	}
	if r.Memory > 0 {
		parts = append(parts, shortBytes(r.Memory))
	}
	return &InstanceType{
		Name: strings.Join(parts, "-"), Family: FamilyCustom,
		VCPUs: r.CPUs, Memory: r.Memory, Weight: r.CPUShares, Quota: r.CPUs > 0, BlockIO: r.BlockIO, Disk: r.Disk,
	}
}

// TypeName is the name of the instance's type, also of one that was stored
// before it had a copy of it.
func (i *Instance) TypeName() string {
	if i.Type != nil {
		return i.Type.Name
	}
	return CustomType(i.Spec.Resources).Name
}

// shortBytes writes n with the largest unit that divides it.
func shortBytes(n int64) string {
	for _, u := range []struct {
		size int64
		name string
	}{{1 << 40, "t"}, {1 << 30, "g"}, {1 << 20, "m"}, {1 << 10, "k"}} {
		if n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}
