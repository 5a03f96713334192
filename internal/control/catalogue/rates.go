package catalogue

import (
	"math"
	"regexp"

	"github.com/virga-cloud/virga/api"
)

// DefaultRates are those of the OpenCost specification, and EC2's fee for
// surplus credits on Linux. Volumes cost nothing.
func DefaultRates() api.Rates {
	return api.Rates{Currency: "USD", VCPUHour: 0.031611, GiBHour: 0.004237, CreditFee: 0.05}
}

// Price is what an hour of so many vCPUs and that much memory costs, to a
// hundredth of a cent.
func Price(r api.Rates, vcpus float64, memory int64) float64 {
	return math.Round((vcpus*r.VCPUHour+float64(memory)/gib*r.GiBHour)*1e4) / 1e4
}

// dedicatedFactor makes dedicated cores cost half as much again: nobody else
// may use them when they are idle.
const dedicatedFactor = 1.5

// priceOf is the price of a type by the vCPUs that it is promised and its
// memory.
func priceOf(r api.Rates, t api.InstanceType) float64 {
	switch t.Family {
	case api.FamilyBurst:
		return Price(r, t.VCPUs*t.Baseline, t.Memory)
	case api.FamilyDedicated:
		return Price(r, dedicatedFactor*t.VCPUs, t.Memory)
	}
	return Price(r, t.VCPUs, t.Memory)
}

// maxPrice is the highest price that is not taken for a mistake.
const maxPrice = 1e6

// goodPrice refuses what nobody can mean.
func goodPrice(field, whose string, price float64) error {
	if !(price >= 0 && price <= maxPrice) { // so written, NaN is refused
		return api.Invalid(field, "%s%s %v: must be a number from 0 to %.0f", whose, field, price, maxPrice)
	}
	return nil
}

var currencyPattern = regexp.MustCompile(`^[A-Z]{3}$`)

// ValidateRates refuses rates that are absurd.
func ValidateRates(r api.Rates) error {
	if !currencyPattern.MatchString(r.Currency) {
		return api.Invalid("currency", "currency %q: want a code of ISO 4217, such as EUR", r.Currency)
	}
	for _, p := range []struct {
		field string
		price float64
	}{
		{"vcpuHour", r.VCPUHour}, {"gibHour", r.GiBHour}, {"surplusVcpuHour", r.CreditFee},
		{"machineHour", r.MachineHour}, {"volumeGibMonth", r.VolumeGiBMonth},
	} {
		if err := goodPrice(p.field, "", p.price); err != nil {
			return err
		}
	}
	return nil
}
