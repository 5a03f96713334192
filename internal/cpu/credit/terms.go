package credit

import (
	"fmt"
	"math"
	"time"
)

const (
	// CapHours is how many hours of earning an account can hold.
	CapHours = 24
	// Keep is how long a stopped instance keeps its credits (EC2's T3 rule).
	Keep = 7 * 24 * time.Hour
	// LaunchPerVCPU is the grant at launch of a standard account, per vCPU.
	// Without one an instance would boot at its baseline. EC2 grants as much
	// to T2 in standard mode.
	LaunchPerVCPU = 30
	// taperPerVCPU is the balance, per vCPU, below which a standard account
	// is slowed down gradually. EC2 tapers too, but does not publish the width.
	taperPerVCPU = 3
)

// Terms are what an account earns by and may spend.
type Terms struct {
	VCPUs     int     // 1 or more
	Baseline  float64 // of each vCPU, above 0 and at most 1
	Unlimited bool
}

// Validate refuses terms that the arithmetic is not defined for.
func (t Terms) Validate() error {
	if t.VCPUs < 1 {
		return fmt.Errorf("vcpus %d: must be at least 1", t.VCPUs)
	}
	if math.IsNaN(t.Baseline) || t.Baseline <= 0 || t.Baseline > 1 {
		return fmt.Errorf("baseline %v: must be above 0 and at most 1", t.Baseline)
	}
	return nil
}

// Rate is what is earned continuously, in vCPUs.
func (t Terms) Rate() float64 { return t.Baseline * float64(t.VCPUs) }

// EarnPerHour is in credits.
func (t Terms) EarnPerHour() float64 { return t.Rate() * 60 }

// Cap is the most that can accrue, in credits.
func (t Terms) Cap() float64 { return t.EarnPerHour() * CapHours }

// Taper is the balance below which a standard account is slowed down, in credits.
func (t Terms) Taper() float64 { return taperPerVCPU * float64(t.VCPUs) }

// of converts a time on one vCPU to credits.
func of(d time.Duration) float64 { return d.Minutes() }
