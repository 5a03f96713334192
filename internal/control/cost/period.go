package cost

import (
	"time"

	"github.com/virga-cloud/virga/api"
)

// Machine is what a node has, what it keeps for itself and what that costs.
type Machine struct {
	Physical api.Amount `json:"physical"`
	Reserved api.Amount `json:"reserved"`
	Rates    api.Rates  `json:"rates"`
}

// Hour is the price of an hour of the whole machine: what the operator says,
// else by what it has.
func (m Machine) Hour() float64 {
	if m.Rates.MachineHour > 0 {
		return m.Rates.MachineHour
	}
	return m.list(m.Physical.VCPUs, float64(m.Physical.Memory))
}

// list is an hour's price of that much by the rates.
func (m Machine) list(vcpus, bytes float64) float64 {
	return vcpus*m.Rates.VCPUHour + bytes/gib*m.Rates.GiBHour
}

// worth is the part of the machine's price for that much of it.
func (m Machine) worth(vcpus, bytes float64) float64 {
	whole := m.list(m.Physical.VCPUs, float64(m.Physical.Memory))
	if whole == 0 {
		// Without rates the vCPUs and the memory are worth the same.
		part := 0.0
		if m.Physical.VCPUs > 0 {
			part += vcpus / m.Physical.VCPUs / 2
		}
		if m.Physical.Memory > 0 {
			part += bytes / float64(m.Physical.Memory) / 2
		}
		return part * m.Hour()
	}
	return m.list(vcpus, bytes) / whole * m.Hour()
}

// Period is a stretch of a node's time in which the machine and its price are
// the same and its clock goes steadily: a boot, other prices and a step of the
// clock each begin one. While a machine is off there is none.
type Period struct {
	ID    int64         `json:"id"` // counts up
	Boot  string        `json:"boot"`
	Up    time.Duration `json:"upNs"` // time since the boot at Start
	Start time.Time     `json:"start"`
	End   time.Time     `json:"end,omitzero"` // zero for the present one
	Machine
}

// wall is the time on the period's axis, which goes on as its clock did.
func (p Period) wall(up time.Duration) time.Time { return p.Start.Add(up - p.Up) }

// up is the inverse of wall.
func (p Period) up(t time.Time) time.Duration { return p.Up + t.Round(0).Sub(p.Start) }

// Moment is a point in time by two clocks.
type Moment struct {
	Boot string        // which boot of the machine
	Up   time.Duration // since then, by a clock that nobody sets
	Wall time.Time     // by the one that can be set
}
