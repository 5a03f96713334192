package logs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)

func writer(t testing.TB, c Config) *Writer {
	t.Helper()
	w, err := NewWriter(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

// read returns the texts of a log, a piece of a line followed by "…".
func read(t testing.TB, path string, o Options) []string {
	t.Helper()
	r, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var lines []string
	for {
		rec, err := r.Next(t.Context())
		if err == io.EOF {
			return lines
		}
		if err != nil {
			t.Fatal(err)
		}
		text := string(rec.Text)
		if rec.Partial {
			text += "…"
		}
		lines = append(lines, text)
	}
}

func TestFormat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	w := writer(t, Config{Path: path})
	for _, s := range []string{"one\ntw", "o\n", "\n", "end"} {
		if err := w.Write(Stdout, now, []byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Write(Stderr, now.Add(time.Second), []byte("bad\n")); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(Stdout, now.Add(2*time.Second)); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := `2026-01-02T03:04:05.000006000Z stdout F one
2026-01-02T03:04:05.000006000Z stdout F two
2026-01-02T03:04:05.000006000Z stdout F 
2026-01-02T03:04:06.000006000Z stderr F bad
2026-01-02T03:04:07.000006000Z stdout F end
`
	if string(got) != want {
		t.Errorf("got\n%s", got)
	}
}

func TestLongLinesAreSplit(t *testing.T) {
	for _, n := range []int{MaxText - 1, MaxText, MaxText + 1, 3*MaxText + 5} {
		for _, piece := range []int{n, 1000} {
			path := filepath.Join(t.TempDir(), "log")
			w := writer(t, Config{Path: path})
			line := []byte(strings.Repeat("x", n) + "\n")
			for len(line) > 0 {
				k := min(piece, len(line))
				if err := w.Write(Stdout, now, line[:k]); err != nil {
					t.Fatal(err)
				}
				line = line[k:]
			}
			lines := read(t, path, Options{Tail: 1})
			all := strings.Join(lines, "")
			if len(lines) != (n+MaxText-1)/MaxText || strings.Count(all, "x") != n || strings.HasSuffix(all, "…") {
				t.Errorf("%d by %d: %d records, %d bytes", n, piece, len(lines), strings.Count(all, "x"))
			}
		}
	}
}

func TestRotationKeepsSoManyFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "log")
	w := writer(t, Config{Path: path, Size: 1000, Files: 3})
	for i := range 200 {
		if err := w.Write(Stdout, now, fmt.Appendf(nil, "line %d\n", i)); err != nil {
			t.Fatal(err)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 3 {
		t.Errorf("%v, %v", files, err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Size() > 1000 {
			t.Errorf("%v, %v", info, err)
		}
	}
	lines := read(t, path, Options{Tail: -1})
	for i, l := range lines {
		if l != fmt.Sprint("line ", 200-len(lines)+i) {
			t.Fatalf("line %d is %q", i, l)
		}
	}
	for _, n := range []int{0, 1, 5, 30, 50, len(lines), 1000} {
		if got := read(t, path, Options{Tail: n}); len(got) != min(n, len(lines)) || n > 0 && got[len(got)-1] != "line 199" {
			t.Errorf("tail %d: %d lines", n, len(got))
		}
	}
}

func TestSinceAndUntil(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	w := writer(t, Config{Path: path})
	for i := range 10 {
		if err := w.Write(Stdout, now.Add(time.Duration(i)*time.Second), fmt.Appendf(nil, "%d\n", i)); err != nil {
			t.Fatal(err)
		}
	}
	got := read(t, path, Options{Tail: -1, Since: now.Add(3 * time.Second), Until: now.Add(6 * time.Second)})
	if fmt.Sprint(got) != "[3 4 5 6]" {
		t.Errorf("got %v", got)
	}
}

func TestUnfinishedRecordIsEnded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("2026-01-02T03:04:05Z stdout F whole\n2026-01-02T03"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := writer(t, Config{Path: path})
	if err := w.Write(Stdout, now, []byte("next\n")); err != nil {
		t.Fatal(err)
	}
	if got := read(t, path, Options{Tail: -1}); fmt.Sprint(got) != "[whole next]" {
		t.Errorf("got %v", got)
	}
}

func TestMissingLogIsEmpty(t *testing.T) {
	if got := read(t, filepath.Join(t.TempDir(), "log"), Options{Tail: -1}); got != nil {
		t.Errorf("got %v", got)
	}
}

// Readers that join at any time see each line once, in order, however often
// the log is rotated meanwhile. The writer waits for them, so that no file is
// deleted that they have not read.
func TestFollowAcrossRotations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	w := writer(t, Config{Path: path, Size: 500, Files: 40})
	const lines, readers = 4000, 4
	done := make(chan struct{})
	step := make([]chan int, readers)
	var wg sync.WaitGroup
	for i := range readers {
		step[i] = make(chan int, lines)
		wg.Go(func() {
			defer close(step[i])
			r, err := Open(path, Options{Tail: -1, Follow: true, Done: done})
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Close()
			for n := 0; ; n++ {
				rec, err := r.Next(t.Context())
				if err == io.EOF {
					if n != lines {
						t.Errorf("reader %d ended after %d lines", i, n)
					}
					return
				}
				if err != nil || string(rec.Text) != fmt.Sprint(n) {
					t.Errorf("reader %d: line %d is %q, %v", i, n, rec.Text, err)
					return
				}
				step[i] <- n
			}
		})
	}
	seen := make([]int, readers)
	for n := range lines {
		if err := w.Write(Stdout, now, fmt.Appendf(nil, "%d\n", n)); err != nil {
			t.Fatal(err)
		}
		for i := range seen {
			for seen[i] < n-200 {
				got, ok := <-step[i]
				if !ok {
					close(done)
					wg.Wait()
					t.FailNow()
				}
				seen[i] = got
			}
		}
	}
	close(done)
	wg.Wait()
}

func TestFollowEndsWithItsContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	w := writer(t, Config{Path: path})
	if err := w.Write(Stdout, now, []byte("a\n")); err != nil {
		t.Fatal(err)
	}
	r, err := Open(path, Options{Tail: -1, Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := r.Next(ctx); err == nil || err == io.EOF {
		t.Errorf("got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("2026-01-02T03:04:05.000006000Z stdout F text"))
	f.Add([]byte("2026-01-02T03:04:05Z stderr P:x "))
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := Parse(line)
		if err != nil || bytes.IndexByte(line, '\n') >= 0 {
			return
		}
		b := r.Append(nil)
		again, err := Parse(b[:len(b)-1])
		if err != nil || !bytes.Equal(again.Text, r.Text) || again.Stream != r.Stream || again.Partial != r.Partial {
			t.Errorf("%q becomes %q, %v", line, b, err)
		}
	})
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("2026-01-02T03:04:05Z stdout F a\n2026-01-02T03:04:05Z stdout P b\nx\n2026-01-02T03:04:05Z stdout F c\n"), 1)
	f.Fuzz(func(t *testing.T, log []byte, tail int) {
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, log, 0o600); err != nil {
			t.Fatal(err)
		}
		all := read(t, path, Options{Tail: -1})
		if tail < 0 {
			return
		}
		some := read(t, path, Options{Tail: tail})
		whole := 0
		for _, l := range some {
			if !strings.HasSuffix(l, "…") {
				whole++
			}
		}
		if whole > tail || len(some) > len(all) || fmt.Sprint(some) != fmt.Sprint(all[len(all)-len(some):]) {
			t.Errorf("tail %d of %q is %q", tail, all, some)
		}
	})
}
