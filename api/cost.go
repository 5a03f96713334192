package api

import (
	"context"
	"io"
	"net/url"
	"time"
)

// Rates are the operator's list prices beyond those of the types, in Currency.
// Types without a price of their own and free-form limits are priced by vCPU
// and memory.
type Rates struct {
	Currency  string  `json:"currency" doc:"ISO 4217"`
	VCPUHour  float64 `json:"vcpuHour"`
	GiBHour   float64 `json:"gibHour" doc:"Of memory"`
	CreditFee float64 `json:"surplusVcpuHour" doc:"Surplus CPU credits, for a vCPU-hour: 60 of them"`
	// MachineHour is what an hour of the whole machine costs; 0 is what its
	// vCPUs and memory cost at the rates.
	MachineHour float64 `json:"machineHour,omitempty"`
	// VolumeGiBMonth is for a GiB that a volume stores, or may, for 730 hours.
	VolumeGiBMonth float64 `json:"volumeGibMonth,omitempty"`
}

// InstanceCost is what one instance costs at list prices.
type InstanceCost struct {
	Currency string  `json:"currency"`
	PerHour  float64 `json:"perHour"` // while it runs: 0 when it does not
	Spent    float64 `json:"spent"`   // so far, surplus credits included
}

// CostLine is what one instance, or the sum of several of them, cost in a
// period.
type CostLine struct {
	Key       string  `json:"key" doc:"Name of the instance, project, group, type or value of the label"`
	Instances int     `json:"instances"` // and volumes
	Seconds   float64 `json:"seconds"`   // billed, of all of them
	VCPUHours float64 `json:"vcpuHours"` // promised
	GiBHours  float64 `json:"gibHours"`  // promised
	// Cost is at list price; Surplus and Storage are the parts of it that are
	// for surplus credits and volumes.
	Cost           float64 `json:"cost"`
	Surplus        float64 `json:"surplus"`
	Storage        float64 `json:"storage"`
	StoredGiBHours float64 `json:"storedGibHours,omitempty"`
	// Machine is the part of the machine's own price that went to it.
	Machine float64 `json:"machine"`
}

// CostReport is the bill of a period and where the machine's own price went.
type CostReport struct {
	From     time.Time  `json:"from"`
	To       time.Time  `json:"to"`
	Currency string     `json:"currency"`
	Rates    Rates      `json:"rates"`
	By       string     `json:"by" doc:"project, instance, group, type or label:KEY"`
	Lines    []CostLine `json:"lines"`
	Total    float64    `json:"total"`
	// Workload, Idle and Overhead add up to Machine.
	Machine  float64 `json:"machine"`
	Workload float64 `json:"workload"`
	Idle     float64 `json:"idle"`
	Overhead float64 `json:"overhead"`
}

// CostQuery chooses what a cost report is about.
type CostQuery struct {
	From, To time.Time // zero: the last 24 hours
	By       string    // "" is project
}

func (q CostQuery) values() url.Values {
	v := url.Values{}
	for key, t := range map[string]time.Time{"from": q.From, "to": q.To} {
		if !t.IsZero() {
			v.Set(key, t.UTC().Format(time.RFC3339Nano))
		}
	}
	if q.By != "" {
		v.Set("by", q.By)
	}
	return v
}

// Cost reports what instances cost: those of the client's project, or all.
func (c *Client) Cost(ctx context.Context, q CostQuery) (CostReport, error) {
	var r CostReport
	return r, c.call(ctx, "GET", "/cost", q.values(), nil, &r)
}

// ExportCost reads the charges of a period: format is focus (CSV in the columns
// of FOCUS 1.2), csv or json. The caller closes it.
func (c *Client) ExportCost(ctx context.Context, q CostQuery, format string) (io.ReadCloser, error) {
	v := q.values()
	v.Set("format", format)
	return c.download(ctx, "/cost/export", v)
}
