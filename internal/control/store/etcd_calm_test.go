package store

import (
	"log/slog"
	"testing"
)

// A new version of etcd may keep its clocks elsewhere.
func TestEtcdIsCalm(t *testing.T) {
	e, err := openEtcd(t.Context(), t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	if !calm(e.server) {
		t.Error("the clock of elections is not where it was")
	}
	if watchResyncPeriod != calmResync {
		t.Errorf("watchers are looked after every %v", watchResyncPeriod)
	}
}
