package cli

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// ago writes how long before now t was, with one unit.
func ago(now, t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return span(now.Sub(t)) + " ago"
}

// span writes a duration the way people say it.
func span(d time.Duration) string {
	count := func(n int, unit string) string { return fmt.Sprintf("%d %s", n, plural(unit, n)) }
	hours := int(d.Hours() + 0.5)
	switch {
	case d < time.Second:
		return "less than a second"
	case d < 2*time.Minute:
		return count(int(d.Seconds()), "second")
	case d < 2*time.Hour:
		return count(int(d.Minutes()), "minute")
	case hours < 48:
		return count(hours, "hour")
	case hours < 24*14:
		return count(hours/24, "day")
	case hours < 24*60:
		return count(hours/24/7, "week")
	case hours < 24*365*2:
		return count(hours/24/30, "month")
	}
	return count(hours/24/365, "year")
}

// cut shortens s to n characters.
func cut(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

// clean keeps text from elsewhere from steering the terminal: control
// characters other than line breaks and tabs become "?".
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return '?'
		}
		return r
	}, s)
}

// cell is text that fits into one cell of a table.
func cell(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}
