package engine

import (
	"context"
	"log/slog"
	"time"
)

// Laps tells where the time of one start went, for the debug log. The zero
// value takes none.
type Laps struct {
	log   *slog.Logger
	at    time.Time
	attrs []slog.Attr
}

// Time begins to take times where log shows them.
func Time(ctx context.Context, log *slog.Logger) *Laps {
	if !log.Enabled(ctx, slog.LevelDebug) {
		return &Laps{}
	}
	return &Laps{log: log, at: time.Now()}
}

// Lap ends a part, which is called name.
func (l *Laps) Lap(name string) {
	if l.log == nil {
		return
	}
	now := time.Now()
	l.attrs = append(l.attrs, slog.Duration(name, now.Sub(l.at)))
	l.at = now
}

// Log writes the parts in one line.
func (l *Laps) Log(ctx context.Context, message, instance string) {
	if l.log != nil {
		l.log.LogAttrs(ctx, slog.LevelDebug, message, append(l.attrs, slog.String("instance", instance))...)
	}
}
