package cron

import (
	"testing"
	"time"
)

func TestNext(t *testing.T) {
	const layout = "2006-01-02 15:04:05"
	for _, tt := range []struct{ expr, after, want string }{
		{"* * * * *", "2026-01-01 00:00:00", "2026-01-01 00:01:00"},
		{"* * * * *", "2026-01-01 00:00:59", "2026-01-01 00:01:00"},
		{"30 4 * * mon-fri", "2026-11-27 04:30:00", "2026-11-30 04:30:00"},
		{"*/15 9-17 * * *", "2026-06-30 17:46:00", "2026-07-01 09:00:00"},
		{"0 0 31 * *", "2026-01-31 00:00:00", "2026-03-31 00:00:00"},
		{"0 0 29 2 *", "2026-03-01 00:00:00", "2028-02-29 00:00:00"},
		{"0 0 13 * fri", "2026-02-13 00:00:00", "2026-02-20 00:00:00"}, // either
		{"0 12 * * 7", "2026-11-28 13:00:00", "2026-11-29 12:00:00"},
		{"@monthly", "2026-12-05 10:00:00", "2027-01-01 00:00:00"},
		{"0 0 30 2 *", "2026-01-01 00:00:00", ""},
		{"5,10 0 1 jan,jul *", "2026-01-01 00:07:00", "2026-01-01 00:10:00"},
	} {
		s, err := Parse(tt.expr)
		if err != nil {
			t.Errorf("%s: %v", tt.expr, err)
			continue
		}
		after, _ := time.Parse(layout, tt.after)
		got := s.Next(after)
		if text := got.Format(layout); tt.want == "" && !got.IsZero() || tt.want != "" && text != tt.want {
			t.Errorf("%s after %s: %s, want %s", tt.expr, tt.after, text, tt.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, s := range []string{"", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "5-1 * * * *", "*/0 * * * *", "x * * * *", "1-2-3 * * * *", "@never"} {
		if _, err := Parse(s); err == nil {
			t.Errorf("%q was accepted", s)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("30 4 * * mon-fri")
	f.Add("*/7 1-5/2 1,15 jan-mar 0-7")
	start := time.Date(2026, 5, 5, 5, 5, 5, 0, time.UTC)
	f.Fuzz(func(t *testing.T, expr string) {
		s, err := Parse(expr)
		if err != nil {
			return
		}
		next := s.Next(start)
		if next.IsZero() {
			return
		}
		if !next.After(start) {
			t.Fatalf("%q: %s is not after %s", expr, next, start)
		}
		// The minute before the next one leads to the same one.
		if again := s.Next(next.Add(-time.Second)); !again.Equal(next) {
			t.Fatalf("%q: %s, then %s", expr, next, again)
		}
	})
}
