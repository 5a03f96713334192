package cost

import (
	"maps"
	"time"
)

// Minimum is the least that one start is billed for, as on EC2. A restart by
// policy goes on with the start before it.
const Minimum = time.Minute

// What is priced: an instance at one size, or a volume.
type What struct {
	// Volume says that it is one; Instance is then its id, and the price is
	// for Stored bytes.
	Volume   bool              `json:"volume,omitempty"`
	Instance string            `json:"instance"`
	Name     string            `json:"name"`
	Project  string            `json:"project"`
	Group    string            `json:"group,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
	Type     string            `json:"type"`
	Spot     bool              `json:"spot,omitempty"`
	VCPUs    float64           `json:"vcpus,omitempty"`  // promised
	Memory   int64             `json:"memory,omitempty"` // bytes promised
	Stored   int64             `json:"stored,omitempty"` // bytes of a volume
	Price    float64           `json:"price,omitempty"`  // per hour, a spot discount included
}

// same reports whether two have the same price and are summed up alike.
func (w What) same(o What) bool {
	return maps.Equal(w.Labels, o.Labels) && w.flat() == o.flat()
}

// flat is w without what cannot be compared by ==.
func (w What) flat() flat {
	return flat{w.Volume, w.Spot, w.Instance, w.Name, w.Project, w.Group, w.Type, w.VCPUs, w.Price, w.Memory, w.Stored}
}

type flat struct {
	volume, spot                         bool
	instance, name, project, group, kind string
	vcpus, price                         float64
	memory, stored                       int64
}

// Record is one stretch of time in which something ran, or was there, at one
// price: a start, an end, a resize, another price and a step of the clock each
// begin or end one. It lies within one period, on whose axis its times are.
type Record struct {
	What
	Period int64     `json:"period"`         // of the node, by its ID
	Life   int       `json:"life,omitempty"` // number of the instance's life
	Stay   int       `json:"stay,omitempty"` // number of the start that was asked for
	Start  time.Time `json:"start"`
	End    time.Time `json:"end,omitzero"` // zero while it goes on
	// Age is how long the stay has run before Start.
	Age   time.Duration `json:"ageNs,omitempty"`
	Ended bool          `json:"ended,omitempty"` // the life ended with it
	Last  bool          `json:"last,omitempty"`  // the stay ended with it

	// Credits were charged at End at so much for a vCPU-hour, which is 60 of
	// them; Total is what the account had been charged in all by then.
	Credits float64 `json:"credits,omitempty"`
	Fee     float64 `json:"fee,omitempty"`
	Total   float64 `json:"total,omitempty"`

	// Runs says that the record is the sum of so many short ones: Ran is how
	// long they ran in all, Billed what is to be paid for, spread evenly over
	// the time from Start to End.
	Runs   int           `json:"runs,omitempty"`
	Ran    time.Duration `json:"ranNs,omitempty"`
	Billed time.Duration `json:"billedNs,omitempty"`
}

// length of a record that has ended.
func (r Record) length() time.Duration { return max(r.End.Sub(r.Start), 0) }

// density is how many of what the record stands for ran at each moment.
func (r Record) density() float64 {
	if r.Runs == 0 {
		return 1
	}
	if l := r.length(); l > 0 {
		return float64(r.Ran) / float64(l)
	}
	return 0
}

// padding is what the end of a stay is billed beyond the time that it ran.
func (r Record) padding() time.Duration {
	if !r.Last || r.Volume || r.Runs > 0 {
		return 0
	}
	return max(Minimum-r.Age-r.length(), 0)
}

// within is how much of the record is billed in [from, to), and how much of it
// ran there. What is missing to the minimum is billed at the end.
func (r Record) within(from, to time.Time) (billed, ran time.Duration) {
	ran = overlap(r.Start, r.End, from, to)
	if r.Runs > 0 {
		if r.length() == 0 {
			if r.inside(from, to) {
				return r.Billed, r.Ran
			}
			return 0, 0
		}
		part := float64(ran) / float64(r.length())
		return time.Duration(part * float64(r.Billed)), time.Duration(part * float64(r.Ran))
	}
	billed = ran
	if r.inside(from, to) {
		billed += r.padding()
	}
	return billed, ran
}

// inside reports whether the record's end lies in [from, to).
func (r Record) inside(from, to time.Time) bool { return !r.End.Before(from) && r.End.Before(to) }

func overlap(start, end, from, to time.Time) time.Duration {
	if start.Before(from) {
		start = from
	}
	if end.After(to) {
		end = to
	}
	return max(end.Sub(start), 0)
}

// surplus is what is charged for credits in [from, to), in money.
func (r Record) surplus(from, to time.Time) float64 {
	if r.Credits == 0 || !r.inside(from, to) {
		return 0
	}
	return r.Credits / 60 * r.Fee
}

// Cost is the record's whole price.
func (r Record) Cost() float64 {
	billed := r.length() + r.padding()
	if r.Runs > 0 {
		billed = r.Billed
	}
	return billed.Hours()*r.Price + r.Credits/60*r.Fee
}
