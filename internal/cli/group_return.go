package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
)

// returnFlag is how a group returns to an earlier revision, as --return says
// it: "max-unavailable=2,hold=3". The empty value is the policy of any roll.
type returnFlag struct {
	text    string
	changes []func(*api.ReturnPolicy)
}

func (r *returnFlag) String() string { return r.text }

// Type names the value in the help.
func (r *returnFlag) Type() string { return "policy" }

// Set parses a value; a later one replaces it.
func (r *returnFlag) Set(text string) error {
	next := returnFlag{text: text}
	for field := range strings.SplitSeq(text, ",") {
		if text == "" {
			break
		}
		key, value, _ := strings.Cut(field, "=")
		change, err := returnField(strings.TrimSpace(key), strings.TrimSpace(value))
		if err != nil {
			return err
		}
		next.changes = append(next.changes, change)
	}
	*r = next
	return nil
}

// over is the policy after what the flag names has been changed in it, nil for
// that of any roll.
func (r *returnFlag) over(was *api.ReturnPolicy) *api.ReturnPolicy {
	if len(r.changes) == 0 {
		return nil
	}
	var p api.ReturnPolicy
	if was != nil {
		p = *was
	}
	for _, change := range r.changes {
		change(&p)
	}
	return &p
}

// returnField is the change that one KEY=VALUE stands for.
func returnField(key, value string) (func(*api.ReturnPolicy), error) {
	if key == "min-ready" {
		d, err := time.ParseDuration(value)
		return func(p *api.ReturnPolicy) { p.MinReady = api.Duration(d) }, err
	}
	n, err := strconv.Atoi(value)
	change := map[string]func(*api.ReturnPolicy){
		"max-surge":       func(p *api.ReturnPolicy) { p.MaxSurge = &n },
		"max-unavailable": func(p *api.ReturnPolicy) { p.MaxUnavailable = n },
		"hold":            func(p *api.ReturnPolicy) { p.Hold = n },
	}[key]
	switch {
	case change == nil:
		return nil, fmt.Errorf("unknown key %q: want max-surge, max-unavailable, min-ready or hold", key)
	case err != nil || n < 0:
		return nil, fmt.Errorf("%s=%q: want a number from 0 up", key, value)
	}
	return change, nil
}
