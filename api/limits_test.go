package api

import "testing"

func TestCustomTypeIsNamedAfterItsLimits(t *testing.T) {
	for want, r := range map[string]Resources{
		"custom":              {},
		"custom-0.5":          {CPUs: .5},
		"custom-256m":         {Memory: 256 << 20},
		"custom-0.5-256m":     {CPUs: .5, Memory: 256 << 20},
		"custom-2-1g":         {CPUs: 2, Memory: 1 << 30},
		"custom-1.25-10000k":  {CPUs: 1.25, Memory: 10000 << 10},
		"custom-3-1000000001": {CPUs: 3, Memory: 1000000001},
	} {
		i := Instance{Spec: InstanceSpec{Resources: r}}
		if got := i.TypeName(); got != want {
			t.Errorf("%+v is named %s, want %s", r, got, want)
		}
		if c := CustomType(r); c.Family != FamilyCustom || c.VCPUs != r.CPUs || c.Memory != r.Memory {
			t.Errorf("%+v", c)
		}
	}
}

func TestLimitsAreTheTypesAndTheSpecsForTheRest(t *testing.T) {
	own := Resources{PidsLimit: 9, CPUSet: "0", BlockIO: BlockIO{Weight: 100}}
	for _, tt := range []struct {
		name string
		kind InstanceType
		want Resources
	}{
		{"custom", InstanceType{Family: FamilyCustom, Memory: 5}, Resources{}},
		{"burst", InstanceType{Family: FamilyBurst, VCPUs: 2, Memory: 5}, Resources{CPUs: 2, Memory: 5}},
		{"shared", InstanceType{Family: FamilyShared, VCPUs: .5, Weight: 512, Memory: 5}, Resources{CPUShares: 512, Memory: 5}},
		{"shared, hard", InstanceType{Family: FamilyShared, VCPUs: .5, Weight: 7, Quota: true, Memory: 5}, Resources{CPUs: .5, CPUShares: 7, Memory: 5}},
		{"dedicated", InstanceType{Family: FamilyDedicated, VCPUs: 2, Memory: 5}, Resources{CPUShares: 2048, Memory: 5}},
		{"block I/O", InstanceType{Family: FamilyShared, Weight: 2, BlockIO: BlockIO{ReadBPS: 8}}, Resources{CPUShares: 2, BlockIO: BlockIO{ReadBPS: 8}}},
	} {
		i := Instance{Spec: InstanceSpec{Resources: own}, Type: &tt.kind}
		got := i.Limits()
		if got.PidsLimit != 9 || got.CPUSet != "0" || got.BlockIO.Weight != 100 {
			t.Errorf("%s: what no type fixes was lost: %+v", tt.name, got)
		}
		if got.CPUs != tt.want.CPUs || got.CPUShares != tt.want.CPUShares || got.Memory != tt.want.Memory || got.BlockIO.ReadBPS != tt.want.BlockIO.ReadBPS {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestParseBytes(t *testing.T) {
	for s, want := range map[string]int64{"0": 0, "4096": 4096, "512m": 512 << 20, "1.5GiB": 3 << 29, "1.1k": 1126, " 2 g ": 2 << 30} {
		if got, err := ParseBytes(s); got != want || err != nil {
			t.Errorf("%q: %d, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "m", "-1g", "0.5", "1.5", "0.0001k", "NaN", "1e3", "9999999t", "5 apples"} {
		if got, err := ParseBytes(s); err == nil {
			t.Errorf("%q is %d", s, got)
		}
	}
}
