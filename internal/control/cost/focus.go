package cost

import (
	"maps"
	"time"
)

// issuer is who provides, publishes and invoices: the operator's own cloud.
const issuer = "virga"

// focusColumns are those of FOCUS 1.2 that virga has something to say in, in
// the order of the specification, which is alphabetic. Every mandatory column
// is among them; a null is an empty cell.
var focusColumns = []column{
	{"AvailabilityZone", func(c Charge) string { return c.Node }},
	{"BilledCost", func(c Charge) string { return number(c.Billed) }},
	{"BillingAccountId", func(Charge) string { return issuer }},
	{"BillingAccountName", func(Charge) string { return issuer }},
	{"BillingAccountType", func(Charge) string { return "Cloud" }},
	{"BillingCurrency", func(c Charge) string { return c.Currency }},
	{"BillingPeriodEnd", func(c Charge) string { return instant(month(c.Start).AddDate(0, 1, 0)) }},
	{"BillingPeriodStart", func(c Charge) string { return instant(month(c.Start)) }},
	{"CapacityReservationId", func(c Charge) string { return unless(!c.idle(), c.Node) }},
	{"CapacityReservationStatus", func(c Charge) string { return unless(!c.idle(), "Unused") }},
	{"ChargeCategory", func(Charge) string { return "Usage" }},
	{"ChargeClass", func(Charge) string { return "" }},
	{"ChargeDescription", Charge.describe},
	{"ChargeFrequency", func(Charge) string { return "Usage-Based" }},
	{"ChargePeriodEnd", func(c Charge) string { return instant(c.End) }},
	{"ChargePeriodStart", func(c Charge) string { return instant(c.Start) }},
	{"ConsumedQuantity", func(c Charge) string { return unless(c.idle(), number(c.Quantity)) }},
	{"ConsumedUnit", func(c Charge) string { return unless(c.idle(), c.Unit) }},
	{"ContractedCost", func(c Charge) string { return number(c.Cost) }},
	{"ContractedUnitPrice", func(c Charge) string { return number(c.UnitPrice) }},
	{"EffectiveCost", func(c Charge) string { return number(c.Cost) }},
	{"InvoiceIssuerName", func(Charge) string { return issuer }},
	{"ListCost", func(c Charge) string { return number(c.Cost) }},
	{"ListUnitPrice", func(c Charge) string { return number(c.UnitPrice) }},
	{"PricingCategory", Charge.category},
	{"PricingCurrency", func(c Charge) string { return c.Currency }},
	{"PricingQuantity", func(c Charge) string { return number(c.Quantity) }},
	{"PricingUnit", func(c Charge) string { return c.Unit }},
	{"ProviderName", func(Charge) string { return issuer }},
	{"PublisherName", func(Charge) string { return issuer }},
	{"RegionId", func(Charge) string { return "local" }},
	{"RegionName", func(Charge) string { return "local" }},
	{"ResourceId", func(c Charge) string { return c.ID }},
	{"ResourceName", func(c Charge) string { return c.Name }},
	{"ResourceType", func(c Charge) string { return c.Resource }},
	{"ServiceCategory", Charge.service},
	{"ServiceName", func(c Charge) string { return "virga " + c.Resource + "s" }},
	{"SkuId", func(c Charge) string { return c.sku() }},
	{"SkuMeter", func(c Charge) string { return c.Meter }},
	{"SkuPriceId", func(c Charge) string { return c.sku() + "/" + c.Purchase }},
	{"SubAccountId", func(c Charge) string { return c.Project }},
	{"SubAccountName", func(c Charge) string { return c.Project }},
	{"SubAccountType", func(c Charge) string { return unless(c.Project == "", "Project") }},
	{"Tags", Charge.tags},
}

// idle capacity is not consumed.
func (c Charge) idle() bool { return c.Meter == meterIdle }

func (c Charge) describe() string {
	switch c.Meter {
	case meterTime:
		return c.Type + " instance, " + c.Purchase
	case meterSurplus:
		return "CPU credits spent beyond the balance"
	case meterIdle:
		return "Capacity of the machine that nobody was promised"
	case meterOverhead:
		return "Capacity of the machine that is kept for the system"
	}
	return "Bytes that a volume stores, or may"
}

func (c Charge) category() string {
	if c.Purchase == purchaseSpot {
		return "Dynamic"
	}
	return "Standard"
}

func (c Charge) service() string {
	if c.Resource == "volume" {
		return "Storage"
	}
	return "Compute"
}

func (c Charge) sku() string { return c.Type + "/" + c.Meter }

// tags are the labels, and the group under virga's own prefix.
func (c Charge) tags() string {
	if c.Group == "" {
		return object(c.Labels)
	}
	all := maps.Clone(c.Labels)
	if all == nil {
		all = map[string]string{}
	}
	all["virga/group"] = c.Group
	return object(all)
}

func unless(null bool, s string) string {
	if null {
		return ""
	}
	return s
}

func month(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}
