package cost

import "time"

// Line is one entry of a ledger: exactly one of its fields is set. What a
// ledger knows is what its lines say, in their order: a meter that reads them
// goes on where the one that wrote them ended, wherever that was.
type Line struct {
	Period *Period        `json:"period,omitempty"` // begins, or has ended
	Open   *Record        `json:"open,omitempty"`   // began and goes on
	Run    *Record        `json:"run,omitempty"`    // has ended
	Known  *Known         `json:"known,omitempty"`
	Seen   *time.Duration `json:"seenNs,omitempty"` // since the boot; the node was alive
}

// Valid reports whether a line that was read can have been written: exactly
// one thing, with numbers that can be added up.
func (l Line) Valid() bool {
	n := 0
	for _, set := range []bool{l.Period != nil, l.Open != nil, l.Run != nil, l.Known != nil, l.Seen != nil} {
		if set {
			n++
		}
	}
	if n != 1 {
		return false
	}
	for _, r := range []*Record{l.Open, l.Run} {
		if r != nil && (r.VCPUs < 0 || r.Memory < 0 || r.Stored < 0 || r.Ran < 0 || r.Billed < 0 || r.Age < 0 || r.Credits < 0 || r.Fee < 0 || r.Price < 0) {
			return false
		}
	}
	return l.Run == nil || !l.Run.End.Before(l.Run.Start)
}

// Known is what has to be remembered of an instance beyond its records.
type Known struct {
	Instance string        `json:"instance"`
	Ended    int           `json:"ended,omitempty"` // newest life whose end is recorded
	Stay     int           `json:"stay,omitempty"`
	Ran      time.Duration `json:"ranNs,omitempty"` // of that stay, in records that have ended
	Life     int           `json:"life,omitempty"`  // of the newest record that has ended
	Until    time.Time     `json:"until,omitzero"`  // when that was, in Period
	Period   int64         `json:"period,omitempty"`
	Charged  float64       `json:"charged,omitempty"`
	Spent    float64       `json:"spent,omitempty"` // price of all records that have ended
}
