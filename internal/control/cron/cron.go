// Package cron reads five-field schedules (minute, hour, day of the month,
// month, day of the week) and finds their next moment, in UTC.
package cron

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// Schedule is a parsed expression: a bit for every value that matches.
type Schedule struct {
	minute, hour, day, month, weekday uint64
	// anyDay and anyWeekday say that the field is *: when both fields are
	// restricted, either may match.
	anyDay, anyWeekday bool
}

type field struct {
	name      string
	low, high int
	names     []string // of low, low+1, …
}

var fields = [5]field{
	{"minute", 0, 59, nil},
	{"hour", 0, 23, nil},
	{"day of the month", 1, 31, nil},
	{"month", 1, 12, []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
	{"day of the week", 0, 7, []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
}

var shorthands = map[string]string{
	"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *",
	"@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
}

// Parse reads an expression such as "30 4 * * mon-fri", or @hourly, @daily,
// @weekly, @monthly or @yearly.
func Parse(s string) (Schedule, error) {
	text := strings.ToLower(strings.TrimSpace(s))
	if full, ok := shorthands[text]; ok {
		text = full
	}
	parts := strings.Fields(text)
	if len(parts) != len(fields) {
		return Schedule{}, fmt.Errorf("schedule %q: want five fields (minute, hour, day, month, weekday), such as 30 4 * * mon-fri", s)
	}
	var sets [5]uint64
	for i, f := range fields {
		set, err := f.parse(parts[i])
		if err != nil {
			return Schedule{}, fmt.Errorf("schedule %q: %s: %w", s, f.name, err)
		}
		sets[i] = set
	}
	if sets[4]&(1<<7) != 0 {
		sets[4] |= 1 // 7 is Sunday as well
	}
	return Schedule{sets[0], sets[1], sets[2], sets[3], sets[4],
		strings.HasPrefix(parts[2], "*"), strings.HasPrefix(parts[4], "*")}, nil
}

// parse reads a list of values, ranges and steps into bits.
func (f field) parse(s string) (uint64, error) {
	var set uint64
	for part := range strings.SplitSeq(s, ",") {
		span, by, stepped := strings.Cut(part, "/")
		step := 1
		if stepped {
			n, err := strconv.Atoi(by)
			if err != nil || n < 1 || n > f.high {
				return 0, fmt.Errorf("step %q is not from 1 to %d", by, f.high)
			}
			step = n
		}
		low, high := f.low, f.high
		if span != "*" {
			from, to, ranged := strings.Cut(span, "-")
			var err error
			if low, err = f.value(from); err != nil {
				return 0, err
			}
			switch {
			case ranged:
				if high, err = f.value(to); err != nil {
					return 0, err
				}
			case !stepped:
				high = low
			}
		}
		if low > high {
			return 0, fmt.Errorf("range %q runs backwards", span)
		}
		for v := low; v <= high; v += step {
			set |= 1 << v
		}
	}
	return set, nil
}

func (f field) value(s string) (int, error) {
	for i, n := range f.names {
		if n == s {
			return f.low + i, nil
		}
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < f.low || n > f.high {
		return 0, fmt.Errorf("%q is not from %d to %d", s, f.low, f.high)
	}
	return n, nil
}

// horizon is how far ahead Next looks: a leap day that falls on a given
// weekday comes within 40 years.
const horizon = 41

// Next is the first moment after t that matches, or the zero time when none
// does within 41 years (the 30th of February).
func (s Schedule) Next(t time.Time) time.Time {
	t = t.UTC().Truncate(time.Minute).Add(time.Minute)
	end := t.Year() + horizon
	for t.Year() <= end {
		switch {
		case s.month&(1<<t.Month()) == 0:
			t = time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, time.UTC)
		case !s.matchesDay(t):
			t = time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, time.UTC)
		case s.hour&(1<<t.Hour()) == 0:
			t = t.Truncate(time.Hour).Add(time.Hour)
		default:
			rest := s.minute >> t.Minute()
			if rest != 0 {
				return t.Add(time.Duration(bits.TrailingZeros64(rest)) * time.Minute)
			}
			t = t.Truncate(time.Hour).Add(time.Hour)
		}
	}
	return time.Time{}
}

func (s Schedule) matchesDay(t time.Time) bool {
	day, weekday := s.day&(1<<t.Day()) != 0, s.weekday&(1<<t.Weekday()) != 0
	if s.anyDay || s.anyWeekday {
		return day && weekday
	}
	return day || weekday
}
