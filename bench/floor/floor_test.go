package floor

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A container made by hand runs more than once on the same ground, has its own
// root, and leaves nothing behind.
func TestCycle(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("run as root")
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Fatal("busybox: install busybox-static")
	}
	program, err := os.ReadFile(busybox)
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "busybox"), program, 0o755); err != nil {
		t.Fatal(err)
	}
	// The way to the root must be open to ids that are nobody's here.
	for dir := root; dir != os.TempDir(); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	f, err := New(root, 1)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		out, err := f.Cycle("/busybox", "ls", "/")
		if err != nil || out != "busybox\n" {
			t.Fatalf("%q, %v", out, err)
		}
	}
	if _, err := f.Cycle("/busybox", "false"); err == nil {
		t.Error("a failed program is no error")
	}
	dir := f.dir
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", dir, err)
	}
}
