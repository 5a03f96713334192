package store

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// etcdLog is etcd's logger: warnings and worse go to slog, and what etcd would
// end the process for ends the goroutine instead and is told to fault.
func etcdLog(log *slog.Logger, fault func(error)) *zap.Logger {
	hook := faultHook{fault}
	return zap.New(slogCore{log: log}, zap.WithFatalHook(hook), zap.WithPanicHook(hook))
}

// harmless are warnings that every first start of a single member gives, and
// every end that is asked for during a start.
var harmless = []string{
	"Failed to detect schema version", "failed to update storage version", "cannot campaign at term",
	"simple token is not cryptographically signed",
	"failed to publish local member", "stopped publish because server is stopping",
}

// slogCore writes zap's entries to slog.
type slogCore struct {
	log    *slog.Logger
	fields []zapcore.Field
}

func (slogCore) Enabled(l zapcore.Level) bool { return l >= zapcore.WarnLevel }

func (c slogCore) With(fields []zapcore.Field) zapcore.Core {
	return slogCore{c.log, append(c.fields[:len(c.fields):len(c.fields)], fields...)}
}

func (c slogCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return ce.AddCore(e, c)
	}
	return ce
}

func (c slogCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	level := slog.LevelWarn
	switch {
	case slices.ContainsFunc(harmless, func(m string) bool { return strings.Contains(e.Message, m) }):
		level = slog.LevelDebug
	case e.Level > zapcore.WarnLevel:
		level = slog.LevelError
	}
	enc := zapcore.NewMapObjectEncoder()
	attrs := make([]any, 0, len(c.fields)+len(fields))
	for _, f := range append(c.fields[:len(c.fields):len(c.fields)], fields...) {
		f.AddTo(enc)
	}
	for k, v := range enc.Fields {
		attrs = append(attrs, slog.Any(k, v))
	}
	c.log.Log(context.Background(), level, "etcd: "+e.Message, attrs...)
	return nil
}

func (slogCore) Sync() error { return nil }

// faultHook runs after etcd has logged that it cannot go on.
type faultHook struct{ fault func(error) }

func (h faultHook) OnWrite(ce *zapcore.CheckedEntry, fields []zapcore.Field) {
	err := fmt.Errorf("%s", ce.Message)
	for _, f := range fields {
		if e, ok := f.Interface.(error); ok && f.Type == zapcore.ErrorType {
			err = fmt.Errorf("%s: %w", ce.Message, e)
		}
	}
	h.fault(err)
	runtime.Goexit()
}
