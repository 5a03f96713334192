package event

import (
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/virga-cloud/virga/api"
)

func openLog(t *testing.T, dir string) *Log {
	t.Helper()
	l, err := Open(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestNumberingSurvives(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir)
	for range 3 {
		l.Append(api.Event{Kind: "instance", Action: "start"})
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	// A torn last line is what a kill may leave.
	f, err := os.OpenFile(filepath.Join(dir, "events.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"seq":4,"ki`); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()

	l = openLog(t, dir)
	l.Append(api.Event{Kind: "instance", Action: "die"})
	events, _ := l.After(2)
	if len(events) != 2 || events[0].Seq != 3 || events[1].Action != "die" || events[1].Seq != 4 {
		t.Errorf("after 2: %+v", events)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openLog(t, dir)
	defer l.Close()
	if events, _ := l.After(0); len(events) != 4 || l.Last() != 4 {
		t.Errorf("%d events, last %d", len(events), l.Last())
	}
}

func TestFollowSeesAllInOrder(t *testing.T) {
	l := openLog(t, "")
	const writers, each = 4, 200
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				l.Append(api.Event{Kind: "node"})
			}
		})
	}
	var want int64
	for e := range l.Follow(t.Context(), 0) {
		want++
		if e.Seq != want || e.Time.IsZero() {
			t.Fatalf("seq %d, want %d", e.Seq, want)
		}
		if want == writers*each {
			break
		}
	}
	wg.Wait()
	go l.Close()
	for range l.Follow(t.Context(), want) { // ends with the log
	}
}

func TestOldEventsAreForgotten(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir)
	const n = 2*Kept + Kept/2
	for range n {
		l.Append(api.Event{})
	}
	check := func() {
		t.Helper()
		events, _ := l.After(0)
		if len(events) != Kept || events[0].Seq != n-Kept+1 {
			t.Errorf("%d events from %d", len(events), events[0].Seq)
		}
		if events, _ := l.After(n + 5); len(events) != Kept {
			t.Errorf("a number from the future: %d events, want all", len(events))
		}
	}
	check()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openLog(t, dir)
	defer l.Close()
	check()
}
