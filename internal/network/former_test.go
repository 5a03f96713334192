package network

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

func TestFormerSettings(t *testing.T) {
	root := t.TempDir()
	f := former{filepath.Join(t.TempDir(), "settings"), root}
	log := slog.New(slog.DiscardHandler)
	put := func(name, value string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(root, name), []byte(value+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := func(name, value string) {
		t.Helper()
		if got, err := f.read(name); err != nil || got != value {
			t.Errorf("%s is %q, %v, want %q", name, got, err, value)
		}
	}
	set := func(name, value string, changes bool) {
		t.Helper()
		if changed, err := f.set(name, value); err != nil || changed != changes {
			t.Errorf("set %s: %v, %v, want %v", name, changed, err, changes)
		}
	}
	put("forward", "0")
	put("accept", "1")
	put("gone", "0")
	put("theirs", "0")
	put("same", "1")
	set("forward", "1", true)
	put("forward", "0") // someone turned it off, and virga on again
	set("forward", "1", true)
	set("accept", "2", true)
	set("gone", "1", true)
	set("theirs", "1", true)
	set("same", "1", false)
	if err := os.Remove(filepath.Join(root, "gone")); err != nil {
		t.Fatal(err)
	}
	put("theirs", "7")
	for range 2 { // also when there is nothing left to do
		if err := f.restore(log); err != nil {
			t.Fatal(err)
		}
		want("forward", "0")
		want("accept", "1")
		want("theirs", "7")
		want("same", "1")
	}
	if _, err := f.set("missing", "1"); err == nil {
		t.Error("a setting that is not there was set")
	}
}

func FuzzFormer(f *testing.F) {
	f.Add([]byte(`[{"path":"net/ipv4/ip_forward","was":"0","set":"1"}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		file := filepath.Join(dir, "settings")
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		_ = former{file, filepath.Join(dir, "none")}.restore(slog.New(slog.DiscardHandler))
	})
}
