package volume

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/virga-cloud/virga/api"
)

func TestLifeOfAVolume(t *testing.T) {
	d := Dir(filepath.Join(t.TempDir(), "volumes"))
	if all, err := d.Resources(t.Context()); err != nil || len(all) != 0 {
		t.Fatalf("Resources before any: %v, %v", all, err)
	}
	for range 2 { // idempotent
		if err := d.Create(t.Context(), "v1"); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(d.Path("v1"), "f"), make([]byte, 100), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := d.Resources(t.Context())
	if err != nil || len(all) != 1 || all[0].Owner != "v1" {
		t.Fatalf("Resources: %v, %v", all, err)
	}
	if n, err := d.Remove(t.Context(), "v1"); err != nil || n != 100 {
		t.Errorf("Remove: %d, %v", n, err)
	}
	if err := d.Collect(t.Context(), all[0]); err != nil {
		t.Errorf("Collect of what is gone: %v", err)
	}
}

func TestForeignIDsAreRefused(t *testing.T) {
	d := Dir(t.TempDir())
	for _, id := range []string{"", ".", "..", "../x", "a/b", "/"} {
		if _, err := d.Remove(t.Context(), id); api.CodeOf(err) != api.CodeInvalid {
			t.Errorf("Remove(%q): %v", id, err)
		}
		if err := d.Create(t.Context(), id); api.CodeOf(err) != api.CodeInvalid {
			t.Errorf("Create(%q): %v", id, err)
		}
	}
}
