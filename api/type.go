package api

import "time"

// InstanceType is a named size: what an instance of it gets and what it costs.
type InstanceType struct {
	Name   string `json:"name" doc:"family.size, such as burst.small"`
	Family Family `json:"family" enum:"burst,shared,dedicated,custom"`
	// VCPUs is what the guest sees. Whole for burst and dedicated; shared may
	// have fractions from 0.1.
	VCPUs  float64 `json:"vcpus"`
	Memory int64   `json:"memory"` // bytes, a hard limit
	// Baseline is the share of each vCPU that a burst type earns, 0 to 1.
	Baseline float64 `json:"baseline,omitempty"`
	// CreditMode is the default of a burst type.
	CreditMode CreditMode `json:"creditMode,omitempty" enum:"standard,unlimited"`
	// Weight and Quota describe shared types: a soft share under contention,
	// and whether VCPUs is also a hard limit.
	Weight int64 `json:"weight,omitempty"`
	Quota  bool  `json:"quota,omitempty"`
	// NetworkBPS limits each direction in bits per second, 0 is no limit.
	NetworkBPS int64   `json:"networkBps,omitempty"`
	BlockIO    BlockIO `json:"blockIO,omitzero"`
	// Disk is the size of the writable layer in bytes, 0 is no limit.
	Disk int64 `json:"disk,omitempty"`
	// PricePerHour is the list price in the operator's currency.
	PricePerHour float64 `json:"pricePerHour,omitempty" doc:"Default by vCPUs and memory"`
	// Origin says who defined it.
	Origin Origin `json:"origin,omitempty" enum:"built-in,file,operator" readOnly:"true"`
}

// Origin is where a type comes from.
type Origin string

const (
	OriginBuiltIn  Origin = "built-in" // virga brings it
	OriginFile     Origin = "file"     // the daemon's file of types
	OriginOperator Origin = "operator" // made with virga type create
)

// Family is how a type's vCPUs are given out.
type Family string

const (
	FamilyBurst     Family = "burst"     // a baseline, and credits to go above it
	FamilyShared    Family = "shared"    // a weight, and optionally a hard quota
	FamilyDedicated Family = "dedicated" // whole cores that nobody else uses
	FamilyCustom    Family = "custom"    // free-form limits, no named type
)

// CreditMode says what happens when a burst instance has spent its credits.
type CreditMode string

const (
	CreditStandard  CreditMode = "standard"  // it is held at its baseline
	CreditUnlimited CreditMode = "unlimited" // it goes on, and pays for the surplus
)

// CPUCredits is the state of a burst instance's account, in CPU credits of
// 60 vCPU-seconds.
type CPUCredits struct {
	Mode           CreditMode `json:"mode"`
	Balance        float64    `json:"balance"` // accrued, launch credits included
	Launch         float64    `json:"launch"`  // the part of Balance granted at launch
	Cap            float64    `json:"cap"`     // the most that can accrue
	EarnPerHour    float64    `json:"earnPerHour"`
	Surplus        float64    `json:"surplus"`                   // spent beyond the balance, not yet earned back
	Charged        float64    `json:"charged"`                   // surplus that is to be paid for
	Usage          float64    `json:"usage"`                     // spent since launch
	Limit          float64    `json:"limit"`                     // vCPUs it may use at this moment
	LastsForSecond float64    `json:"lastsForSeconds,omitempty"` // until the balance is spent at the present use
	FullInSecond   float64    `json:"fullInSeconds,omitempty"`   // until the balance reaches the cap at the present use
	// Series is what was asked for: seconds of the last ten minutes or five
	// minutes of the last two weeks in which the instance ran, oldest first.
	Series []CreditSample `json:"series,omitempty"`
}

// CreditSample is an account at the end of one step of time: EC2's metrics
// CPUCreditUsage, CPUCreditBalance, CPUSurplusCreditBalance and
// CPUSurplusCreditsCharged. All but Usage are levels.
type CreditSample struct {
	Time    time.Time `json:"time"`
	Usage   float64   `json:"cpuCreditUsage"` // spent within the step
	Balance float64   `json:"cpuCreditBalance"`
	Surplus float64   `json:"cpuSurplusCreditBalance"`
	Charged float64   `json:"cpuSurplusCreditsCharged"` // since launch
}
