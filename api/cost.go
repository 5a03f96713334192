package api

import "time"

// Rates are the operator's list prices.
type Rates struct {
	Currency  string  `json:"currency"`        // ISO 4217
	VCPUHour  float64 `json:"vcpuHour"`        // of the machine's own cost
	GiBHour   float64 `json:"gibHour"`         // of memory
	CreditFee float64 `json:"surplusVcpuHour"` // per vCPU-hour of surplus credits, 60 credits
}

// CostLine is what one instance, or the sum of a group of them, cost in a period.
type CostLine struct {
	Key       string  `json:"key"` // name of the instance, project, group or label value
	Seconds   float64 `json:"seconds"`
	VCPUHours float64 `json:"vcpuHours"`
	GiBHours  float64 `json:"gibHours"`
	Cost      float64 `json:"cost"`    // at list price, surplus credits included
	Surplus   float64 `json:"surplus"` // the part of Cost that is for surplus credits
}

// CostReport is the bill of a period and where the machine's own price went.
type CostReport struct {
	From     time.Time  `json:"from"`
	To       time.Time  `json:"to"`
	Currency string     `json:"currency"`
	By       string     `json:"by"` // instance, project, group, type or label:KEY
	Lines    []CostLine `json:"lines"`
	Total    float64    `json:"total"`
	// Workload, Idle and Overhead add up to Machine.
	Machine  float64 `json:"machine"`
	Workload float64 `json:"workload"`
	Idle     float64 `json:"idle"`
	Overhead float64 `json:"overhead"`
}
