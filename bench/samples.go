package main

import (
	"math"
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

// over are the ratios of each turn, of samples that were taken in turns: what
// changes from turn to turn is not in them.
func (s samples) over(other samples) samples {
	each := make(samples, min(len(s), len(other)))
	for i := range each {
		each[i] = s[i] / other[i]
	}
	return each
}

// medianRange is where the median lies with a probability of nine in ten, by the
// ranks of the samples: nothing is supposed of how they are spread.
func (s samples) medianRange() (low, high float64) {
	if len(s) == 0 {
		return 0, 0
	}
	n := float64(len(s))
	rank := max(0, int(math.Floor(n/2-0.8225*math.Sqrt(n))))
	sorted := slices.Sorted(slices.Values(s))
	return sorted[rank], sorted[len(s)-1-rank]
}

// ms is a duration in milliseconds.
func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
