package cost

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/virga-cloud/virga/api"
)

// focusColumns are those of FOCUS 1.2 that virga has something to say in, in
// the order of the specification, which is alphabetic.
var focusColumns = []string{
	"AvailabilityZone", "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency",
	"BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription",
	"ChargeFrequency", "ChargePeriodEnd", "ChargePeriodStart", "ConsumedQuantity", "ConsumedUnit",
	"ContractedCost", "ContractedUnitPrice", "EffectiveCost", "InvoiceIssuerName", "ListCost", "ListUnitPrice",
	"PricingCategory", "PricingCurrency", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName",
	"RegionId", "RegionName", "ResourceId", "ResourceName", "ResourceType", "ServiceCategory", "ServiceName",
	"SkuId", "SkuMeter", "SkuPriceId", "SubAccountId", "SubAccountName", "Tags",
}

// charge is one row: a quantity at a price.
type charge struct {
	record      Record
	start, end  time.Time
	meter       string
	description string
	unit        string
	quantity    float64
	price       float64
}

// WriteFOCUS writes the charges of [from, to) as CSV in the columns of FOCUS
// 1.2: a row for each run, and one for its surplus credits where there are any.
func WriteFOCUS(w io.Writer, records []Record, node string, rates api.Rates, from, to, now time.Time) error {
	out := csv.NewWriter(w)
	if err := out.Write(focusColumns); err != nil {
		return err
	}
	for _, r := range records {
		for _, c := range charges(r, rates, from, to, now) {
			row, err := c.row(node, rates.Currency)
			if err != nil {
				return err
			}
			if err := out.Write(row); err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}

func charges(r Record, rates api.Rates, from, to, now time.Time) []charge {
	var out []charge
	start, end := r.Start, to
	if start.Before(from) {
		start = from
	}
	if billed, _ := r.within(from, to, now); billed > 0 {
		end = start.Add(billed)
		out = append(out, charge{r, start, end, "Instance time", r.Type + " instance", "Hours", billed.Hours(), r.Price})
	}
	if s := r.surplusCost(rates, from, to, now); s > 0 {
		out = append(out, charge{r, start, end, "CPU surplus credit", "CPU credits spent beyond the balance", "vCPU-Hours", r.Surplus / 60, rates.CreditFee})
	}
	return out
}

func (c charge) row(node, currency string) ([]string, error) {
	tags, err := json.Marshal(c.record.Labels)
	if err != nil {
		return nil, fmt.Errorf("labels of %s: %w", c.record.Instance, err)
	}
	if c.record.Labels == nil {
		tags = []byte("{}")
	}
	month := time.Date(c.start.Year(), c.start.Month(), 1, 0, 0, 0, 0, time.UTC)
	cost := number(c.quantity * c.price)
	category := "Standard"
	if c.record.Spot {
		category = "Dynamic"
	}
	sku := c.record.Type + "/" + c.meter
	values := map[string]string{
		"AvailabilityZone": node, "BilledCost": cost, "BillingAccountId": c.record.Project, "BillingAccountName": c.record.Project,
		"BillingCurrency": currency, "BillingPeriodEnd": instant(month.AddDate(0, 1, 0)), "BillingPeriodStart": instant(month),
		"ChargeCategory": "Usage", "ChargeDescription": c.description, "ChargeFrequency": "Usage-Based",
		"ChargePeriodEnd": instant(c.end), "ChargePeriodStart": instant(c.start),
		"ConsumedQuantity": number(c.quantity), "ConsumedUnit": c.unit, "ContractedCost": cost, "ContractedUnitPrice": number(c.price),
		"EffectiveCost": cost, "InvoiceIssuerName": "virga", "ListCost": cost, "ListUnitPrice": number(c.price),
		"PricingCategory": category, "PricingCurrency": currency, "PricingQuantity": number(c.quantity), "PricingUnit": c.unit,
		"ProviderName": "virga", "PublisherName": "virga", "RegionId": "local", "RegionName": "local",
		"ResourceId": c.record.Instance, "ResourceName": c.record.Name, "ResourceType": "instance",
		"ServiceCategory": "Compute", "ServiceName": "virga instances", "SkuId": sku, "SkuMeter": c.meter, "SkuPriceId": sku,
		"SubAccountId": c.record.Group, "SubAccountName": c.record.Group, "Tags": string(tags),
	}
	row := make([]string, len(focusColumns))
	for i, name := range focusColumns {
		row[i] = values[name]
	}
	return row, nil
}

func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
