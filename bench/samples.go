package main

import (
	"slices"
	"time"
)

// samples are measurements of one thing.
type samples []float64

// median is the middle of the samples, 0 without any.
func (s samples) median() float64 { return s.quantile(0.5) }

// p95 is what 95 in 100 samples do not exceed.
func (s samples) p95() float64 { return s.quantile(0.95) }

func (s samples) quantile(q float64) float64 {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	at := q * float64(len(sorted)-1)
	low := int(at)
	if low+1 == len(sorted) {
		return sorted[low]
	}
	return sorted[low] + (at-float64(low))*(sorted[low+1]-sorted[low])
}

// ratio is that of the medians, 0 without any.
func (s samples) ratio(other samples) float64 {
	if m := other.median(); m != 0 {
		return s.median() / m
	}
	return 0
}

// ratioInTurns is the middle one of the ratios of each turn, of samples that
// were taken in turns: what changes from turn to turn is not in it.
func (s samples) ratioInTurns(other samples) float64 {
	each := make(samples, min(len(s), len(other)))
	for i := range each {
		each[i] = s[i] / other[i]
	}
	return each.median()
}

// ms is a duration in milliseconds.
func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
