package mount

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/internal/linux/namespace"
)

// layers makes n directories with a file each, and one file that is in all of
// them and says which it is of; top first.
func layers(t *testing.T, n int) []string {
	t.Helper()
	var dirs []string
	for i := range n {
		dir := t.TempDir()
		for _, name := range []string{"same", fmt.Sprint("only", i)} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(fmt.Sprint(i)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		dirs = append(dirs, dir)
	}
	return dirs
}

// Both ways of naming layers give the same root. A kernel has one of them, or
// both.
func TestOverlay(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("run as root")
	}
	ways := map[string]func(Overlay, []*os.File) (*os.File, error){"attached": Overlay.attached, "detached": Overlay.ofDetached,
		"one clone": func(o Overlay, _ []*os.File) (*os.File, error) { return o.ofOne() }}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			const shift, most = 100_000, 100
			pair, err := namespace.NewPair(shift)
			if err != nil {
				t.Fatal(err)
			}
			defer pair.Close()
			o := Overlay{Layers: layers(t, most), Writable: t.TempDir(), UserNS: pair.User, IDs: shift, Under: os.TempDir()}
			opened, err := o.open()
			defer o.close(opened)
			if err != nil {
				t.Fatal(err)
			}
			m, err := way(o, opened)
			if name != "attached" && (errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP)) {
				t.Skipf("layers that are attached nowhere: not supported by this kernel: %v", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			check(t, m, most, shift)
			if b, err := os.ReadFile(filepath.Join(o.Writable, "upper", "new")); err != nil || string(b) != "new" {
				t.Errorf("written below: %q, %v", b, err)
			}
			b, err := os.ReadFile("/proc/self/mountinfo")
			if err != nil || strings.Contains(string(b), filepath.Dir(o.Layers[0])) {
				t.Errorf("a mount is left, or not to be known: %v\n%s", err, b)
			}
		})
	}
}

// check reads and writes in an overlay of n layers whose files the id shift
// owns.
func check(t *testing.T, m *os.File, n int, shift uint32) {
	t.Helper()
	at := fmt.Sprintf("/proc/self/fd/%d/", m.Fd())
	for name, want := range map[string]string{"same": "0", "only0": "0", fmt.Sprint("only", n-1): fmt.Sprint(n - 1)} {
		var st unix.Stat_t
		b, err := os.ReadFile(at + name)
		if serr := unix.Stat(at+name, &st); err != nil || serr != nil || string(b) != want || st.Uid != shift {
			t.Errorf("%s: %q of %d, %v %v", name, b, st.Uid, err, serr)
		}
	}
	err := AsOwner(shift, func() error { return os.WriteFile(at+"new", []byte("new"), 0o644) })
	if err != nil {
		t.Error(err)
	}
}

// A layer alone is no overlay, and two without a writable one are.
func TestLayers(t *testing.T) {
	for n := range 3 {
		m, err := Layers(layers(t, n+1))
		if err != nil {
			t.Fatal(err)
		}
		at := fmt.Sprintf("/proc/self/fd/%d/", m.Fd())
		if b, err := os.ReadFile(at + fmt.Sprint("only", n)); err != nil || string(b) != fmt.Sprint(n) {
			t.Errorf("%d layers: %q, %v", n+1, b, err)
		}
		if err := os.WriteFile(at+"new", nil, 0o644); !errors.Is(err, unix.EROFS) {
			t.Errorf("write to %d layers: %v", n+1, err)
		}
		m.Close()
	}
}
