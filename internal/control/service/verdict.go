package service

import "github.com/virga-cloud/virga/api"

// Verdict is what the checks of one backend say so far. The zero value is a
// backend that was not well yet.
type Verdict struct {
	Up     bool
	WasUp  bool   // at some time of this life
	Row    int    // checks in a row that disagree with Up
	Reason string // of the last failed check
}

const (
	defaultRise = 1
	defaultFall = 3
)

// After is the verdict after one more check; reason is "" when it was good.
func (v Verdict) After(c *api.ServiceCheck, reason string) Verdict {
	good := reason == ""
	v.Reason = reason
	if good == v.Up {
		v.Row = 0
		return v
	}
	rise, fall := defaultRise, defaultFall
	if c != nil && c.Rise > 0 {
		rise = c.Rise
	}
	if c != nil && c.Fall > 0 {
		fall = c.Fall
	}
	v.Row++
	if good && v.Row >= rise {
		return Verdict{Up: true, WasUp: true}
	}
	if !good && v.Row >= fall {
		return Verdict{WasUp: true, Reason: reason}
	}
	return v
}
