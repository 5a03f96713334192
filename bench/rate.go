package main

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// parallel is how many are under way at a time.
const parallel = 8

// benchRate measures whole cycles per second, eight under way at a time.
func benchRate(ctx context.Context, e *env) error {
	peers := e.peers(ctx)
	var own samples
	theirs := make([]samples, len(peers))
	for range 3 {
		r, err := rate(ctx, 3*time.Second, func(ctx context.Context) error {
			_, err := e.apiCycle(ctx)
			return err
		})
		if err != nil {
			return err
		}
		own = append(own, r)
		for j, p := range peers {
			r, err := rate(ctx, 3*time.Second, func(ctx context.Context) error {
				_, err := p.cycle(ctx, "/bin/true")
				return err
			})
			if err != nil {
				return err
			}
			theirs[j] = append(theirs[j], r)
		}
	}
	return e.compare("rate.api", "per s", own, atLeast(500), beside("rate.api", peers, theirs))
}

// rate runs f in parallel for a while and returns how often it ended per
// second.
func rate(ctx context.Context, length time.Duration, f func(context.Context) error) (float64, error) {
	g, ctx := errgroup.WithContext(ctx)
	var n atomic.Int64
	began := time.Now()
	for range parallel {
		g.Go(func() error {
			for time.Since(began) < length {
				err := f(ctx)
				if errors.Is(err, errHung) {
					continue
				}
				if err != nil {
					return err
				}
				n.Add(1)
			}
			return nil
		})
	}
	err := g.Wait()
	return float64(n.Load()) / time.Since(began).Seconds(), err
}
