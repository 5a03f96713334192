package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

func TestCostPeriod(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		p        costPeriod
		from, to time.Time
		bad      bool
	}{
		{p: costPeriod{}},
		{p: costPeriod{last: "24h"}, from: now.Add(-24 * time.Hour)},
		{p: costPeriod{last: "7d"}, from: now.AddDate(0, 0, -7)},
		{p: costPeriod{last: "2w"}, from: now.AddDate(0, 0, -14)},
		{p: costPeriod{last: "1mo"}, from: now.AddDate(0, 0, -30)},
		{p: costPeriod{from: "2026-11-01", to: "2026-11-02T00:00:00Z"}, from: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), to: time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)},
		{p: costPeriod{from: "90m"}, from: now.Add(-90 * time.Minute)},
		{p: costPeriod{last: "0h"}, bad: true},
		{p: costPeriod{last: "-7d"}, bad: true},
		{p: costPeriod{last: "NaNd"}, bad: true},
		{p: costPeriod{last: "1e300d"}, bad: true},
		{p: costPeriod{last: "week"}, bad: true},
		{p: costPeriod{from: "2026-13-01"}, bad: true},
		{p: costPeriod{to: "soon"}, bad: true},
	}
	for _, tt := range tests {
		q, err := tt.p.query(now)
		if (err != nil) != tt.bad || !tt.bad && (!q.From.Equal(tt.from) || !q.To.Equal(tt.to)) {
			t.Errorf("%+v: %+v, %v", tt.p, q, err)
		}
	}
}

func FuzzSpan(f *testing.F) {
	for _, s := range []string{"24h", "7d", "1.5mo", "w", "9e99d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := parseSpan(s); err == nil && (d < 0 || d > maxSpan) {
			t.Errorf("%q is %s", s, d)
		}
	})
}

func TestCostTable(t *testing.T) {
	var b bytes.Buffer
	from := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	err := printCost(&b, api.CostReport{
		From: from, To: from.Add(time.Hour), Currency: "EUR", By: "label:team", Total: .300012, Machine: 1, Workload: .25, Idle: .65, Overhead: .1,
		Lines: []api.CostLine{
			{Key: "a", Instances: 2, Seconds: 7200, VCPUHours: 1, GiBHours: 2, Cost: .3, Surplus: .05, Machine: .25},
			{Instances: 1, Seconds: 60, Cost: .000012},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"in EUR\n", "TEAM    INSTANCES   HOURS", "\na       2           2         1            2           0.0500    0.3000     25.00 %\n",
		"\n-       1           0.01667   0            0           0.0000    0.000012   0.00 %\n", "\nTOTAL   3 ", "\nidle                  0.6500   65.00 %\n", "100.00 %\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("lacks %q:\n%s", want, b.String())
		}
	}
	for l := range strings.Lines(b.String()) {
		if strings.HasSuffix(strings.TrimSuffix(l, "\n"), " ") {
			t.Errorf("trailing space in %q", l)
		}
	}
}
