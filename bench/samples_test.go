package main

import "testing"

func TestQuantiles(t *testing.T) {
	tests := []struct {
		in          samples
		median, p95 float64
	}{
		{nil, 0, 0},
		{samples{3}, 3, 3},
		{samples{21, 1}, 11, 20},
		{samples{41, 1, 21}, 21, 39},
	}
	for _, tt := range tests {
		if m, p := tt.in.median(), tt.in.p95(); m != tt.median || p != tt.p95 {
			t.Errorf("%v: median %v p95 %v, want %v %v", tt.in, m, p, tt.median, tt.p95)
		}
	}
}

func TestRatios(t *testing.T) {
	own, other := samples{9, 50, 20}, samples{10, 100, 10} // the medians are 20 and 10
	if r := own.ratio(other); r != 2 {
		t.Errorf("of the medians: %v, want 2", r)
	}
	if r := own.over(other).median(); r != 0.9 {
		t.Errorf("of the turns: %v, want 0.9", r)
	}
	if own.ratio(nil) != 0 || own.over(nil).median() != 0 {
		t.Error("a ratio to nothing is not 0")
	}
}

func TestGoal(t *testing.T) {
	tests := []struct {
		goal  goal
		value float64
		ratio float64
		want  bool
	}{
		{atMost(6), 5.9, 0, true},
		{atMost(6), 6.1, 0, false},
		{atLeast(500), 499, 0, false},
		{atLeast(500), 501, 0, true},
		{ratioAtMost(1), 9, 0.9, true},
		{ratioAtMost(1), 9, 1.1, false},
		{goal{}, 1e9, 1e9, true},
	}
	for _, tt := range tests {
		if got := tt.goal.met(tt.value, tt.ratio); got != tt.want {
			t.Errorf("%s of %v (ratio %v): %v", tt.goal, tt.value, tt.ratio, got)
		}
	}
}

func TestMedianRange(t *testing.T) {
	var many samples
	for i := range 25 {
		many = append(many, float64(25-i)) // 25 … 1
	}
	tests := []struct {
		in        samples
		low, high float64
	}{
		{nil, 0, 0},
		{samples{3}, 3, 3},
		{samples{2, 1, 3}, 1, 3},
		{many, 9, 17},
	}
	for _, tt := range tests {
		if low, high := tt.in.medianRange(); low != tt.low || high != tt.high {
			t.Errorf("%v: %v to %v, want %v to %v", tt.in, low, high, tt.low, tt.high)
		}
	}
}
