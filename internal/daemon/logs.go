package daemon

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/logs"
)

// readLog yields the lines of an instance's log that o chooses. Following ends
// when what was written before ended was closed has been read.
func readLog(ctx context.Context, path string, o api.LogOptions, ended <-chan struct{}) iter.Seq2[api.LogLine, error] {
	return func(yield func(api.LogLine, error) bool) {
		r, err := openLog(path, o, ended)
		if err != nil {
			yield(api.LogLine{}, err)
			return
		}
		defer r.Close()
		for {
			rec, err := r.Next(ctx)
			if errors.Is(err, io.EOF) || ctx.Err() != nil {
				return
			}
			if err != nil {
				yield(api.LogLine{}, err)
				return
			}
			line := api.LogLine{
				Time: rec.Time.Format(time.RFC3339Nano), Stream: rec.Stream.String(), Text: string(rec.Text), Partial: rec.Partial,
			}
			if !yield(line, nil) {
				return
			}
		}
	}
}

func openLog(path string, o api.LogOptions, ended <-chan struct{}) (*logs.Reader, error) {
	now := time.Now()
	since, err := moment("since", o.Since, now)
	if err != nil {
		return nil, err
	}
	until, err := moment("until", o.Until, now)
	if err != nil {
		return nil, err
	}
	return logs.Open(path, logs.Options{Since: since, Until: until, Tail: o.Tail, Follow: o.Follow, Done: ended})
}

// moment reads an RFC 3339 time or a duration before now; "" is the zero time.
func moment(field, s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return time.Time{}, api.Invalid(field, "%s %q is neither a time nor a duration", field, s).
			WithHint("write 2026-01-02T15:04:05Z, or 10m for ten minutes ago")
	}
	return now.Add(-d), nil
}
