package volume

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/disk"
	linux "github.com/virga-cloud/virga/internal/linux/disk"
)

const mib = 1 << 20

// newStore unpacks with tar(1): what refuses evil archives has its own tests.
func newStore(t *testing.T, base string) *Store {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("not root")
	}
	unpack := func(ctx context.Context, dir string, r io.Reader, _ bool, _ func(int64)) error {
		c := exec.CommandContext(ctx, "tar", "-xp", "--xattrs", "--xattrs-include=*", "-C", dir)
		c.Stdin = r
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	s := New(filepath.Join(base, "volumes"), disk.Open(base, slog.New(slog.NewTextHandler(io.Discard, nil))), unpack)
	t.Cleanup(func() {
		all, _ := s.Resources(context.Background())
		for _, r := range all {
			s.Collect(context.Background(), r)
		}
	})
	return s
}

// sizes are those that each kind of volume is tested with.
func sizes(t *testing.T) []int64 {
	if _, err := newStore(t, t.TempDir()).Method(); err != nil {
		t.Log("no volumes with a size:", err)
		return []int64{0}
	}
	return []int64{0, 32 * mib}
}

func vol(id string, size int64) *api.Volume {
	return &api.Volume{Meta: api.Meta{ID: id, Name: "name-" + id}, Size: size}
}

func TestLifeOfAVolume(t *testing.T) {
	for _, size := range sizes(t) {
		s := newStore(t, t.TempDir())
		if all, err := s.Resources(t.Context()); err != nil || len(all) != 0 {
			t.Fatalf("Resources before any: %v, %v", all, err)
		}
		for range 2 { // idempotent
			if err := s.Create(t.Context(), "v1", size); err != nil {
				t.Fatal(err)
			}
		}
		write(t, s, "v1", "f", strings.Repeat("x", 100))
		all, err := s.Resources(t.Context())
		if err != nil || len(all) == 0 {
			t.Fatalf("Resources: %v, %v", all, err)
		}
		for _, r := range all {
			if r.Owner != "v1" || r.Stale {
				t.Errorf("%+v", r)
			}
		}
		if n, err := s.Remove(t.Context(), "v1"); err != nil || n < 100 {
			t.Errorf("Remove: %d, %v", n, err)
		}
		for _, r := range all {
			if err := s.Collect(t.Context(), r); err != nil {
				t.Errorf("Collect of what is gone: %v", err)
			}
		}
		if left, _ := os.ReadDir(s.dir); len(left) > 0 {
			t.Errorf("left %v", left)
		}
	}
}

func TestForeignIDsAreRefused(t *testing.T) {
	s := newStore(t, t.TempDir())
	for _, id := range []string{"", ".", "..", "../x", "a/b", "/", "v.new"} {
		if _, err := s.Remove(t.Context(), id); api.CodeOf(err) != api.CodeInvalid {
			t.Errorf("Remove(%q): %v", id, err)
		}
		if err := s.Create(t.Context(), id, 0); api.CodeOf(err) != api.CodeInvalid {
			t.Errorf("Create(%q): %v", id, err)
		}
	}
}

func write(t *testing.T, s *Store, id, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.Path(id), name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, s *Store, id, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.Path(id), name))
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

// rich makes a file of each kind in a volume.
func rich(t *testing.T, dir string) {
	t.Helper()
	script := `cd "$0" && mkdir -p d/e && echo one > d/one && chmod 4751 d/one && chown 12:34 d/one && ln d/one two &&
		ln -s /etc/passwd away && mkfifo pipe && truncate -s 8M hole && printf end >> hole && touch -d 2001-02-03T04:05:06Z d/e && echo dot > .dot`
	if out, err := exec.Command("sh", "-c", script, dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := setXattr(filepath.Join(dir, "d/one")); err != nil {
		t.Fatal(err)
	}
}

// listing describes everything in a directory.
func listing(t *testing.T, dir string) string {
	t.Helper()
	out, err := exec.Command("sh", "-c", `cd "$0" && find . -mindepth 1 -printf '%p %y %m %U:%G %n %l ' \( -type d -printf '%Ts' -o -printf '%s' \) -printf '\n' | sort
		cat d/one .dot; sha256sum hole; getfattr -d d/one 2>/dev/null || :`, dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

func TestCopyKeepsEverything(t *testing.T) {
	for _, from := range sizes(t) {
		for _, to := range sizes(t) {
			t.Run(fmt.Sprintf("%d to %d", from, to), func(t *testing.T) {
				s := newStore(t, t.TempDir())
				if to > 0 {
					to *= 2 // and it grows
				}
				a, b := vol("a", from), vol("b", to)
				if err := s.Create(t.Context(), a.ID, a.Size); err != nil {
					t.Fatal(err)
				}
				rich(t, s.Path("a"))
				r, err := s.Copy(t.Context(), b, a, nil)
				if err != nil || r.Consistency != api.ConsistencyIdle {
					t.Fatalf("%+v, %v", r, err)
				}
				if err := s.Create(t.Context(), b.ID, b.Size); err != nil { // mounts
					t.Fatal(err)
				}
				if x, y := listing(t, s.Path("a")), listing(t, s.Path("b")); x != y {
					t.Errorf("the copy differs:\n%s\n%s", x, y)
				}
				if _, blocks, err := linux.Allocated(filepath.Join(s.Path("b"), "hole")); err != nil || blocks > mib {
					t.Errorf("the sparse file takes %d bytes, %v", blocks, err)
				}
			})
		}
	}
}

func TestReplaceIsWhole(t *testing.T) {
	for _, size := range sizes(t) {
		s := newStore(t, t.TempDir())
		a, b := vol("a", size), vol("b", size)
		for _, v := range []*api.Volume{a, b} {
			if err := s.Create(t.Context(), v.ID, v.Size); err != nil {
				t.Fatal(err)
			}
			write(t, s, v.ID, "f", v.ID)
			write(t, s, v.ID, "only-"+v.ID, "")
		}
		done, err := s.Claim("b", b.Name, "restored")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Hold(b, "i1", "web", false); api.CodeOf(err) != api.CodeConflict {
			t.Errorf("held while it is restored: %v", err)
		}
		if _, err := s.Copy(t.Context(), b, a, nil); err != nil {
			t.Fatal(err)
		}
		done()
		if got := read(t, s, "b", "f"); got != "a" {
			t.Errorf("%q", got)
		}
		if _, err := os.Stat(filepath.Join(s.Path("b"), "only-b")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("something of the old content is left: %v", err)
		}
		// An archive that breaks off changes nothing.
		if err := s.Import(t.Context(), b, strings.NewReader(strings.Repeat("nonsense", 512)), nil); err == nil {
			t.Error("nonsense was imported")
		}
		if got := read(t, s, "b", "f"); got != "a" {
			t.Errorf("%q after a failed import", got)
		}
		if left, _ := filepath.Glob(filepath.Join(s.dir, "*"+newSuffix+"*")); left != nil {
			t.Errorf("left %v", left)
		}
	}
}

func TestExportAndImport(t *testing.T) {
	for _, size := range sizes(t) {
		s := newStore(t, t.TempDir())
		a := vol("a", size)
		if err := s.Create(t.Context(), a.ID, size); err != nil {
			t.Fatal(err)
		}
		rich(t, s.Path("a"))
		var b bytes.Buffer
		if err := s.Export(t.Context(), a, false, &b); err != nil {
			t.Fatal(err)
		}
		if err := s.Import(t.Context(), vol("b", size), &b, nil); err != nil {
			t.Fatal(err)
		}
		if err := s.Create(t.Context(), "b", size); err != nil {
			t.Fatal(err)
		}
		if x, y := listing(t, s.Path("a")), listing(t, s.Path("b")); x != y {
			t.Errorf("differs:\n%s\n%s", x, y)
		}
	}
}

// What does not fit is refused and leaves nothing.
func TestImportIntoTooSmallAVolume(t *testing.T) {
	if len(sizes(t)) < 2 {
		t.Skip("no volumes with a size")
	}
	s := newStore(t, t.TempDir())
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	w.WriteHeader(&tar.Header{Name: "f", Size: 40 * mib, Mode: 0o644})
	w.Write(bytes.Repeat([]byte("x"), 40*mib))
	w.Close()
	err := s.Import(t.Context(), vol("a", 32*mib), &b, nil)
	if err == nil {
		t.Errorf("%v", err)
	}
	if left, _ := os.ReadDir(s.dir); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func TestAccess(t *testing.T) {
	s := newStore(t, t.TempDir())
	for _, tt := range []struct {
		access        api.Access
		first, second bool // whether they write
		ok, ok2       bool
	}{
		{api.AccessShared, true, true, true, true},
		{"", true, true, true, true},
		{api.AccessExclusive, true, true, true, false},
		{api.AccessExclusive, true, false, true, false},
		{api.AccessExclusive, false, true, true, false},
		{api.AccessExclusive, false, false, true, true},
		{api.AccessReadOnly, false, false, true, true},
		{api.AccessReadOnly, true, false, false, true},
	} {
		v := vol("v", 0)
		v.Access = tt.access
		err, err2 := s.Hold(v, "i1", "one", tt.first), s.Hold(v, "i2", "two", tt.second)
		if (err == nil) != tt.ok || (err2 == nil) != tt.ok2 {
			t.Errorf("%+v: %v, %v", tt, err, err2)
		}
		if !tt.ok2 && !strings.Contains(err2.Error(), "one") {
			t.Errorf("%v does not say who holds it", err2)
		}
		if tt.ok {
			if _, err := s.Claim("v", "v", "removed"); err == nil || !strings.Contains(err.Error(), "one") {
				t.Errorf("claimed while in use: %v", err)
			}
		}
		s.Release("i1")
		s.Release("i2")
	}
}

// What a killed daemon leaves half made is stale, whether or not the volume is
// there.
func TestHalfMadeContentIsStale(t *testing.T) {
	for _, size := range sizes(t) {
		base := t.TempDir()
		s := newStore(t, base)
		if err := s.Create(t.Context(), "a", 0); err != nil {
			t.Fatal(err)
		}
		if err := s.fill(t.Context(), s.newPath("a"), size); err != nil {
			t.Fatal(err)
		}
		s = newStore(t, base) // another daemon
		all, err := s.Resources(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range all {
			if half := strings.Contains(r.Name, newSuffix); half != r.Stale {
				t.Errorf("%+v", r)
			}
			if r.Stale {
				if err := s.Collect(t.Context(), r); err != nil {
					t.Error(err)
				}
			}
		}
		if left, _ := filepath.Glob(filepath.Join(s.dir, "*"+newSuffix+"*")); left != nil {
			t.Errorf("left %v", left)
		}
		if _, err := os.Stat(s.Path("a")); err != nil {
			t.Error(err)
		}
	}
}
