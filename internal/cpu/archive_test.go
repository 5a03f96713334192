package cpu

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// minutesOf is the five-minute series of an account, as the API shows it.
func minutesOf(c *Controller, id string) (at []int64) {
	for _, s := range c.Series(id, FiveMinutes) {
		at = append(at, s.Time.Unix())
	}
	return at
}

// A daemon that is killed loses of the series what came since the last save.
func TestSeriesOutliveTheDaemon(t *testing.T) {
	m, dir := newMachine(), t.TempDir()
	c, _ := m.controller(t, dir)
	m.start(t, c, burst("a", false), 2)
	m.start(t, c, burst("b", false), .1)
	m.run(c, 62*time.Minute)
	if err := c.save(); err != nil {
		t.Fatal(err)
	}
	before := minutesOf(c, "a")
	if len(before) != 12 {
		t.Fatalf("%d samples in 62 minutes", len(before))
	}
	m.run(c, 6*time.Minute) // of which nothing is saved
	want := c.Series("a", FiveMinutes)[:12]

	c, _ = m.controller(t, dir)
	got := c.Series("a", FiveMinutes)
	if len(got) != 12 {
		t.Fatalf("%d samples after a kill, want 12", len(got))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("sample %d is %+v, was %+v", i, got[i], want[i])
		}
	}
	if _, err := c.Adopt(burst("a", false)); err != nil {
		t.Fatal(err)
	}
	m.run(c, 10*time.Minute)
	if n := len(minutesOf(c, "a")); n < 13 {
		t.Errorf("%d samples: the series does not go on", n)
	}
	// What is forgotten leaves no file, and what nobody owns goes at the start.
	c.Forget("b")
	if err := c.save(); err != nil {
		t.Fatal(err)
	}
	stray := filepath.Join(dir, "series", "stray")
	if err := os.WriteFile(stray, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	m.controller(t, dir)
	entries, err := os.ReadDir(filepath.Join(dir, "series"))
	if err != nil || len(entries) != 1 || entries[0].Name() != "a" {
		t.Errorf("files of series: %v, %v", entries, err)
	}
}

// The ring stays as large as it is, over restarts at any point of it.
func TestArchiveRing(t *testing.T) {
	const keep = 10
	a := archive{t.TempDir()}
	for _, restartEvery := range []int{1, 3, 7, 25} {
		if err := a.remove("i"); err != nil {
			t.Fatal(err)
		}
		s := &series{step: FiveMinutes, keep: keep}
		for n := uint32(1); n <= 60; n++ {
			s.push(sample{at: n})
			if err := a.write("i", s.unsaved()); err != nil {
				t.Fatal(err)
			}
			if int(n)%restartEvery != 0 {
				continue
			}
			samples, err := a.load("i", keep)
			if err != nil {
				t.Fatal(err)
			}
			s = &series{step: FiveMinutes, keep: keep, samples: samples}
			first := uint32(1)
			if n > keep {
				first = n - keep + 1
			}
			for i, v := range s.all() {
				if v.Time.Unix() != int64(first)+int64(i) {
					t.Fatalf("restarts every %d, after %d: sample %d is %v", restartEvery, n, i, v.Time.Unix())
				}
			}
			if len(samples) != int(min(n, keep)) {
				t.Fatalf("restarts every %d, after %d: %d samples", restartEvery, n, len(samples))
			}
		}
		if info, err := os.Stat(filepath.Join(a.dir, "i")); err != nil || info.Size() != keep*recordSize {
			t.Errorf("file: %v, %v", info, err)
		}
	}
}

func TestArchiveOfNames(t *testing.T) {
	a := archive{t.TempDir()}
	for _, name := range []string{"", "..", "a/b", "/a", "."} {
		if err := a.write(name, nil); err == nil {
			t.Errorf("%q was written", name)
		}
	}
}

func FuzzDecodeSamples(f *testing.F) {
	whole := append(encodeSample(sample{at: 2, usage: 1}), encodeSample(sample{at: 1, balance: 3})...)
	f.Add(whole)
	f.Add(whole[:30])
	f.Add(make([]byte, 3*recordSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		all := decodeSamples(b)
		if len(all) > len(b)/recordSize {
			t.Fatalf("%d samples of %d bytes", len(all), len(b))
		}
		for i := range all {
			if i > 0 && all[i].at < all[i-1].at {
				t.Fatal("not in order")
			}
		}
	})
}
