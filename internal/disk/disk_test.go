package disk

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/linux/disk"
)

// open returns a store; a machine that has neither quotas nor images skips.
func open(t *testing.T) (*Store, string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("not root")
	}
	base := t.TempDir()
	s := Open(base, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if _, err := s.Method(); err != nil {
		t.Skip(err)
	}
	return s, base
}

// images is open where disks are images.
func images(t *testing.T) (*Store, string) {
	t.Helper()
	s, base := open(t)
	if m, _ := s.Method(); m != api.DiskImage {
		t.Skip("disks made by images: not supported by this test where the file system keeps a ", m)
	}
	return s, base
}

const mib = 1 << 20

// fill writes until the disk is full and returns how much went in.
func fill(t *testing.T, file string) int64 {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var n int64
	err = disk.Bound(func() error {
		for buf := make([]byte, 256<<10); ; {
			k, err := f.Write(buf)
			n += int64(k)
			if err != nil || n > 1<<30 {
				return errors.Join(err, f.Sync())
			}
		}
	})
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
		t.Fatalf("after %d bytes: %v", n, err)
	}
	return n
}

func TestADiskHoldsItsSizeAndNoMore(t *testing.T) {
	s, base := open(t)
	dir := filepath.Join(base, "volumes", "v1")
	t.Cleanup(func() { s.Remove(dir) })
	for range 2 {
		if err := s.Make(t.Context(), dir, 32*mib); err != nil {
			t.Fatal(err)
		}
	}
	if e, err := os.ReadDir(dir); err != nil || len(e) > 0 {
		t.Fatalf("a new disk is not empty: %v, %v", e, err)
	}
	if n := fill(t, filepath.Join(dir, "f")); n < 20*mib || n > 32*mib {
		t.Errorf("%d bytes fit into 32 MiB", n)
	}
	if err := s.Grow(t.Context(), dir, 64*mib); err != nil {
		t.Fatal(err)
	}
	if n := fill(t, filepath.Join(dir, "g")); n < 28*mib || n > 32*mib {
		t.Errorf("%d more bytes fit after growing by 32 MiB", n)
	}
	u, err := s.Usage(dir)
	if err != nil || u.Size != 64*mib || u.Used < 50*mib || u.Allocated < 50*mib || u.Free > mib {
		t.Errorf("usage %+v, %v", u, err)
	}
	if err := s.Grow(t.Context(), dir, 17*mib); api.CodeOf(err) != api.CodeConflict {
		t.Errorf("made smaller than what it holds: %v", err)
	}
}

// What is deleted in an image is given back to the node.
func TestDeletedDataIsGivenBack(t *testing.T) {
	s, base := images(t)
	dir := filepath.Join(base, "volumes", "v1")
	t.Cleanup(func() { s.Remove(dir) })
	if err := s.Make(t.Context(), dir, 64*mib); err != nil {
		t.Fatal(err)
	}
	fill(t, filepath.Join(dir, "f"))
	full, err := s.Usage(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "f")); err != nil {
		t.Fatal(err)
	}
	syncFS(t, dir)
	now, err := s.Usage(dir)
	if err != nil || now.Allocated > full.Allocated/2 {
		t.Errorf("%d bytes allocated of %d after the deletion, %v", now.Allocated, full.Allocated, err)
	}
}

func syncFS(t *testing.T, dir string) {
	t.Helper()
	if err := errors.Join(disk.Freeze(dir), disk.Thaw(dir)); err != nil {
		t.Fatal(err)
	}
}

// A reboot takes mounts away, a crash leaves half an image: Make goes on.
func TestMakeFinishesWhatWasLeft(t *testing.T) {
	s, base := open(t)
	dir := filepath.Join(base, "volumes", "v1")
	t.Cleanup(func() { s.Remove(dir) })
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+imageSuffix+tempSuffix, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Make(t.Context(), dir, 32*mib); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Unmount(dir); err != nil {
		t.Fatal(err)
	}
	if err := Open(base, s.log).Make(t.Context(), dir, 32*mib); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "f")); string(b) != "kept" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestNothingIsLeftOfADisk(t *testing.T) {
	s, base := open(t)
	dir := filepath.Join(base, "instances", "i1", "fs")
	if err := s.Make(t.Context(), dir, 32*mib); err != nil {
		t.Fatal(err)
	}
	all, err := s.Resources(t.Context())
	want := 0
	if m, _ := s.Method(); m == api.DiskImage {
		want = 2 // a mount and a loop device
	}
	if err != nil || len(all) != want {
		t.Fatalf("resources %v, %v", all, err)
	}
	for _, r := range all {
		if r.Owner != "i1" {
			t.Errorf("%+v", r)
		}
	}
	for range 2 {
		for _, r := range all {
			if err := s.Collect(t.Context(), r); err != nil {
				t.Error(err)
			}
		}
		if err := s.Remove(dir); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := s.Resources(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
	if left, _ := filepath.Glob(dir + "*"); left != nil {
		t.Errorf("left %v", left)
	}
}

// A daemon that was killed while a disk was frozen must not leave its users
// waiting.
func TestOpenThaws(t *testing.T) {
	s, base := images(t)
	dir := filepath.Join(base, "volumes", "v1")
	t.Cleanup(func() { s.Remove(dir) })
	if err := s.Make(t.Context(), dir, 32*mib); err != nil {
		t.Fatal(err)
	}
	if err := disk.Freeze(dir); err != nil {
		t.Fatal(err)
	}
	Open(base, s.log)
	if err := os.WriteFile(filepath.Join(dir, "f"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}
