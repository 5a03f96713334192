package catalogue

import "github.com/virga-cloud/virga/api"

const gib = 1 << 30

// BuiltIn is every type that virga brings, in the order in which they are shown,
// at those rates. The burst sizes have the vCPUs, baselines and memory of EC2's
// T3.
func BuiltIn(rates api.Rates) []api.InstanceType {
	types := []api.InstanceType{
		burst("nano", 2, .05, gib/2),
		burst("micro", 2, .10, gib),
		burst("small", 2, .20, 2*gib),
		burst("medium", 2, .20, 4*gib),
		burst("large", 2, .30, 8*gib),
		burst("xlarge", 4, .40, 16*gib),
		burst("2xlarge", 8, .40, 32*gib),
		shared("nano", .1, gib/8),
		shared("micro", .25, gib/2),
		shared("small", .5, gib),
		shared("medium", 1, 2*gib),
		shared("large", 2, 4*gib),
		shared("xlarge", 4, 8*gib),
		dedicated("small", 1, 2*gib),
		dedicated("medium", 2, 4*gib),
		dedicated("large", 4, 8*gib),
		dedicated("xlarge", 8, 16*gib),
	}
	for i := range types {
		types[i].Origin = api.OriginBuiltIn
		types[i].PricePerHour = priceOf(rates, types[i])
	}
	return types
}

func burst(size string, vcpus, baseline float64, memory int64) api.InstanceType {
	return api.InstanceType{
		Name: "burst." + size, Family: api.FamilyBurst, VCPUs: vcpus, Memory: memory,
		Baseline: baseline, CreditMode: api.CreditStandard,
	}
}

// shared types weigh by their vCPUs, as 1024 shares are one vCPU's.
func shared(size string, vcpus float64, memory int64) api.InstanceType {
	return api.InstanceType{
		Name: "shared." + size, Family: api.FamilyShared, VCPUs: vcpus, Memory: memory,
		Weight: int64(vcpus * 1024),
	}
}

func dedicated(size string, vcpus float64, memory int64) api.InstanceType {
	return api.InstanceType{Name: "dedicated." + size, Family: api.FamilyDedicated, VCPUs: vcpus, Memory: memory}
}
