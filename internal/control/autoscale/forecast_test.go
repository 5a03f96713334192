package autoscale

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

var monday = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// recorded is the history of a load until a time, noted each minute.
func recorded(from, until time.Time, load func(time.Time) float64) (h History) {
	for t := from; t.Before(until); t = t.Add(time.Minute) {
		h, _ = h.Add(t, load(t))
	}
	return h
}

// office is a load by day, and at weekends none.
func office(t time.Time) float64 {
	if d := t.Weekday(); d == time.Saturday || d == time.Sunday {
		return 1
	}
	return 3 + 2*math.Sin(2*math.Pi*(t.Sub(t.Truncate(24*time.Hour)).Hours()-8)/24)
}

// off is the mean error of a forecast in instances.
func off(h History, now time.Time, load func(time.Time) float64) float64 {
	sum, n := 0.0, 0
	for _, s := range h.Forecast(now, Horizon) {
		sum, n = sum+math.Abs(s.Load-load(s.Time.Add(Slot/2))), n+1
	}
	if n == 0 {
		return math.Inf(1)
	}
	return sum / float64(n)
}

func TestForecast(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	daily := func(t time.Time) float64 { return office(monday.Add(t.Sub(t.Truncate(24 * time.Hour)))) }
	for _, tt := range []struct {
		name  string
		days  int
		hours int // of the day that the forecast is made
		load  func(time.Time) float64
		most  float64 // mean error, in instances
	}{
		{"one day", 1, 1, daily, 0.05},
		{"four days", 4, 13, daily, 0.05},
		{"two weeks, on Friday evening", 11, 20, office, 0.05},
		{"two weeks, noisy", 14, 7, func(t time.Time) float64 { return office(t) * (0.8 + 0.4*r.Float64()) }, 0.25},
		{"grown by half today", 8, 12, func(t time.Time) float64 {
			if t.After(monday.Add(8 * 24 * time.Hour)) {
				return daily(t) * 1.5
			}
			return daily(t)
		}, 1.4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := monday.Add(time.Duration(tt.days)*24*time.Hour + time.Duration(tt.hours)*time.Hour)
			h := recorded(monday, now, tt.load)
			want := tt.load
			if tt.name == "two weeks, noisy" {
				want = office
			}
			if got := off(h, now, want); got > tt.most {
				t.Errorf("off by %.3f instances on average, want at most %.3f", got, tt.most)
			}
		})
	}
}

// The level of today corrects the next hours.
func TestForecastFollowsTheLevelOfToday(t *testing.T) {
	double := monday.Add(3 * 24 * time.Hour)
	h := recorded(monday, double.Add(6*time.Hour), func(t time.Time) float64 {
		if t.Before(double) {
			return 4
		}
		return 6
	})
	f := h.Forecast(double.Add(6*time.Hour), Horizon)
	if first, last := f[0].Load, f[len(f)-1].Load; math.Abs(first-6) > 0.2 || last > 5.5 {
		t.Errorf("%g now and %g in two days, want 6, and less later", first, last)
	}
}

func TestForecastNeedsADay(t *testing.T) {
	for hours, want := range map[int]bool{0: false, 23: false, 25: true} {
		now := monday.Add(time.Duration(hours) * time.Hour)
		if got := len(recorded(monday, now, office).Forecast(now, Horizon)) > 0; got != want {
			t.Errorf("after %d hours: a forecast %v", hours, got)
		}
	}
	// Two days of which most of the last were not measured.
	now := monday.Add(48 * time.Hour)
	h := recorded(monday, monday.Add(26*time.Hour), office)
	h, _ = h.Add(now, 1)
	if f := h.Forecast(now, Horizon); len(f) > 0 {
		t.Errorf("a forecast of %d slots from a day that was not measured", len(f))
	}
}

func TestHistoryIsBoundedAndStorable(t *testing.T) {
	now := monday.Add(60 * 24 * time.Hour)
	h := recorded(monday, now, office)
	if len(h.Loads) != int(kept/Slot) || h.end() != now.Add(-Slot) && h.end() != now {
		t.Errorf("%d slots until %s", len(h.Loads), h.end())
	}
	b, err := json.Marshal(h)
	if err != nil || len(b) > 16<<10 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	var back History
	if err := json.Unmarshal(b, &back); err != nil || off(back, now, office) != off(h, now, office) {
		t.Errorf("it is not what was stored: %v", err)
	}
}

// A clock that is set changes nothing of what was measured before.
func TestHistoryWhenTheClockIsSet(t *testing.T) {
	now := monday.Add(30 * time.Hour)
	h := recorded(monday, now, office)
	n := len(h.Loads)
	back, ended := h.Add(now.Add(-5*time.Hour), 99)
	if ended || len(back.Loads) != n || back.Sum != h.Sum {
		t.Errorf("set back: %d slots, sum %g", len(back.Loads), back.Sum)
	}
	forth, ended := h.Add(now.Add(5*time.Hour), 99)
	if _, ok := forth.at(now.Add(2 * time.Hour)); !ended || ok {
		t.Errorf("set forward: the time between was measured")
	}
	far, _ := h.Add(now.Add(100*24*time.Hour), 1)
	if len(far.Loads) != 0 || far.Count != 1 {
		t.Errorf("set forward by a hundred days: %d slots", len(far.Loads))
	}
}

// The group has grown before the load of the morning comes, which without the
// forecast it does after; and the forecast alone shrinks nothing.
func TestPredictiveGrowsBeforeTheLoad(t *testing.T) {
	morning := func(t time.Time) float64 {
		if h := t.Hour(); h >= 8 && h < 18 {
			return 6
		}
		return 1
	}
	now := monday.Add(3*24*time.Hour + 7*time.Hour)
	h := recorded(monday, now, morning)
	for _, tt := range []struct {
		mode string
		want int // desired shortly before eight
	}{{"", 6}, {api.PredictForecast, 1}} {
		s := cpuAt70()
		s.Predictive = &api.PredictivePolicy{Mode: tt.mode, Ahead: api.Duration(10 * time.Minute)}
		f := newFleet(1, s)
		f.now, f.history = now, h
		for f.now.Before(now.Add(59 * time.Minute)) {
			f.second(morning(f.now) * 70)
		}
		if f.desired != tt.want {
			t.Errorf("mode %q: %d instances before eight, want %d: %v", tt.mode, f.desired, tt.want, f.log)
		}
	}
	s := api.Scaling{Targets: []api.TargetPolicy{{Metric: api.MetricCPU, Target: 70}}, Predictive: &api.PredictivePolicy{}}
	low := 1.0
	var m Memory
	for i := range 1000 {
		var d Decision
		d, m = Decide(s, 5, 1, 10, Sample{Time: now.Add(time.Duration(i) * time.Second), Ready: 5, Expected: &low}, m)
		if d.Desired != 5 {
			t.Fatalf("a forecast shrank the group: %s", d.Reason)
		}
	}
}

func TestLoad(t *testing.T) {
	s := api.Scaling{Targets: []api.TargetPolicy{{Metric: api.MetricCPU, Target: 50}, {Metric: api.MetricRequests, Target: 100}, {Metric: api.MetricLatency, Target: 5}}}
	metrics := map[api.ScalingMetric]float64{api.MetricCPU: 25, api.MetricRequests: 200, api.MetricLatency: 500}
	if got, ok := Load(s, Sample{Ready: 3, Metrics: metrics}); !ok || got != 6 {
		t.Errorf("%g, %v, want the six that the requests need", got, ok)
	}
	if _, ok := Load(s, Sample{Ready: 3}); ok {
		t.Error("a load without a measurement")
	}
	if got, ok := Load(s, Sample{}); !ok || got != 0 {
		t.Errorf("of nothing: %g, %v", got, ok)
	}
	if _, ok := Load(s, Sample{Warming: 1}); ok {
		t.Error("a load of one that warms up")
	}
}
