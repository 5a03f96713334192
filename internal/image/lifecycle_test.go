package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

// rootWith is a root file system that differs by its content.
func rootWith(t testing.TB, body string) []byte {
	return tarOf(t, append(slices.Clone(smallRoot), file{name: "content", body: body})...)
}

func TestRemoveTagAndPrune(t *testing.T) {
	used := map[string]int{}
	s := openStore(t, func(c *Config) { c.InUse = func() map[string]int { return used } })
	a := mustImport(t, s, "a:1", rootWith(t, "a"))
	b := mustImport(t, s, "b:1", rootWith(t, "b"))
	if err := s.Tag(t.Context(), "a:1", "a:2"); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "UPPER", "a@" + a.Digest, strings.Repeat("x", 300)} {
		if err := s.Tag(t.Context(), "a:1", bad); api.CodeOf(err) != api.CodeInvalid {
			t.Errorf("tag %.20q: %v", bad, err)
		}
	}
	if _, err := s.Remove(t.Context(), a.ID, false); api.CodeOf(err) != api.CodeConflict {
		t.Errorf("remove an image with two names by its id: %v", err)
	}
	if gone, err := s.Remove(t.Context(), "a:2", false); err != nil || !slices.Equal(gone, []string{"a:2"}) {
		t.Errorf("remove one name: %v %v", gone, err)
	}
	used[a.ID] = 2
	_, err := s.Remove(t.Context(), "a:1", false)
	if api.CodeOf(err) != api.CodeConflict || !strings.Contains(err.Error(), "2 instances") {
		t.Errorf("remove an image in use: %v", err)
	}
	if gone, err := s.Remove(t.Context(), "a:1", true); err != nil || !slices.Equal(gone, []string{"a:1"}) {
		t.Errorf("force: %v %v", gone, err)
	}
	if _, dirs, err := s.Resolve(t.Context(), a.ID); err != nil || len(listing(t, dirs[0])) < 5 {
		t.Errorf("an image in use went away: %v", err)
	}
	if r, err := s.Prune(t.Context(), api.PruneRequest{All: true}); err != nil || !slices.Equal(r.Removed, []string{"b:1", b.ID}) || r.Bytes <= 0 {
		t.Errorf("prune all: %+v %v", r, err)
	}
	delete(used, a.ID)
	if r, err := s.Prune(t.Context(), api.PruneRequest{}); err != nil || !slices.Equal(r.Removed, []string{a.ID}) {
		t.Errorf("prune: %+v %v", r, err)
	}
	if _, err := s.Inspect(t.Context(), "a:1"); api.CodeOf(err) != api.CodeNotFound {
		t.Errorf("inspect what is gone: %v", err)
	}
	for _, sub := range []string{"layers", "blobs/sha256", "tmp"} {
		if l := listing(t, filepath.Join(s.dir, sub)); len(l) != 1 {
			t.Errorf("left behind: %v", l)
		}
	}
}

func TestSharedLayersStay(t *testing.T) {
	s := openStore(t)
	i := mustImport(t, s, "one", rootWith(t, "x"))
	// The same layer under another configuration.
	tx := s.begin()
	l, ok := tx.known(i.Layers[0].DiffID)
	if !ok {
		t.Fatal("layer is not known")
	}
	r, err := tx.compose(rootfsConfig("/other", "linux/amd64", time.Unix(1, 0)), []layer{l}, "test")
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.commit(t.Context(), []*record{r}, named("two:latest", r.image.ID)); err != nil {
		t.Fatal(err)
	}
	tx.end()
	if _, err := s.Remove(t.Context(), "one", false); err != nil {
		t.Fatal(err)
	}
	if b := export(t, s, "two", api.ExportDocker); len(b) == 0 {
		t.Error("the shared layer went")
	}
	checkClean(t, s)
}

// TestCrashLeavesNothing puts into a store what crashes at different lines
// leave behind, and opens it.
func TestCrashLeavesNothing(t *testing.T) {
	s := openStore(t)
	i := mustImport(t, s, "keep", rootWith(t, "x"))
	lost := strings.Repeat("ab", 32)
	for _, p := range []string{"tmp/new-1/root/etc", "tmp/old-2/x", "layers/" + lost + "/bin", "blobs/sha256/" + lost + ".d"} {
		if err := os.MkdirAll(filepath.Join(s.dir, p), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []string{"blobs/sha256/" + lost, "partial/" + lost, "partial/" + lost[:62] + "cd", "index.json.new"} {
		if err := os.WriteFile(filepath.Join(s.dir, p), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Now().Add(-2 * partialAge)
	if err := os.Chtimes(s.partialPath(lost), old, old); err != nil {
		t.Fatal(err)
	}
	stale := 0
	rs, err := s.Resources(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rs {
		if r.Stale {
			stale++
		}
	}
	if stale != 6 {
		t.Errorf("%d stale resources: %+v", stale, rs)
	}
	again, err := Open(t.Context(), Config{Dir: s.dir, Hello: []byte{}})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Inspect(t.Context(), "keep"); err != nil || got.ID != i.ID {
		t.Errorf("the image: %v %v", got, err)
	}
	if _, err := os.Stat(s.partialPath(lost[:62] + "cd")); err != nil {
		t.Errorf("a download to be resumed is gone: %v", err)
	}
	if _, err := os.Stat(s.partialPath(lost)); err == nil {
		t.Error("an old download is kept")
	}
	if l := listing(t, filepath.Join(s.dir, "layers")); strings.Contains(strings.Join(l, " "), lost) {
		t.Errorf("layers: %v", l)
	}
}

func TestDamagedImageDoesNotKeepTheStoreClosed(t *testing.T) {
	s := openStore(t)
	a := mustImport(t, s, "a", rootWith(t, "a"))
	mustImport(t, s, "b", rootWith(t, "b"))
	if err := os.WriteFile(s.blobPath(a.ID), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := Open(t.Context(), Config{Dir: s.dir, Hello: []byte{}})
	if err != nil {
		t.Fatal(err)
	}
	if l, _ := again.List(t.Context()); len(l) != 1 || l[0].Names[0] != "b:latest" {
		t.Errorf("images: %+v", l)
	}
}

// TestCancelledImport ends the source and the context in the middle.
func TestCancelledImport(t *testing.T) {
	s := openStore(t)
	before := listing(t, s.dir)
	b := rootWith(t, strings.Repeat("0123456789abcdef", 1<<17))
	ctx, cancel := context.WithCancel(t.Context())
	r := io.MultiReader(bytes.NewReader(b[:len(b)/2]), readerFunc(func(p []byte) (int, error) {
		cancel()
		return copy(p, b[len(b)/2:]), nil
	}))
	if _, err := s.Import(ctx, "x", r, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	gone := errors.New("the client went away")
	r = io.MultiReader(bytes.NewReader(b[:len(b)/2]), readerFunc(func([]byte) (int, error) { return 0, gone }))
	if _, err := s.Import(t.Context(), "x", r, nil); !errors.Is(err, gone) {
		t.Errorf("source failed: %v", err)
	}
	if after := listing(t, s.dir); !slices.Equal(before, after) {
		t.Errorf("left behind: %v", after)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestConcurrentUse imports, exports, tags, removes and prunes at once.
func TestConcurrentUse(t *testing.T) {
	s := openStore(t)
	var tars [][]byte
	for i := range 3 {
		tars = append(tars, rootWith(t, fmt.Sprint(i)))
	}
	var wg sync.WaitGroup
	for w := range 6 {
		wg.Go(func() {
			for i := range 4 {
				name := fmt.Sprintf("n%d:%d", w, i)
				img, err := s.Import(t.Context(), name, bytes.NewReader(tars[(w+i)%3]), nil)
				if err != nil {
					t.Errorf("import: %v", err)
					return
				}
				switch w % 3 {
				case 0:
					err = s.Export(t.Context(), []string{img.ID}, api.ExportOCI, io.Discard)
				case 1:
					_, err = s.Prune(t.Context(), api.PruneRequest{All: i%2 == 0})
				case 2:
					_, err = s.Remove(t.Context(), name, false)
				}
				if err != nil && api.CodeOf(err) != api.CodeNotFound {
					t.Errorf("%d: %v", w%3, err)
				}
				if _, err := s.Resources(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	checkClean(t, s)
	l, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range l {
		if err := s.Export(t.Context(), []string{i.ID}, api.ExportDocker, io.Discard); err != nil {
			t.Errorf("image %s is not whole: %v", i.ID, err)
		}
	}
}

func TestHelloIsInstalledOnceAndReplaced(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "images")
	var ids []string
	for _, program := range []string{"one", "one", "two"} {
		s := openStore(t, func(c *Config) { c.Dir, c.Hello = dir, []byte(program) })
		i, dirs, err := s.Resolve(t.Context(), api.HelloImage)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(filepath.Join(dirs[0], helloProgram)); err != nil || string(b) != program {
			t.Errorf("program %q, %v", b, err)
		}
		if r, err := s.Prune(t.Context(), api.PruneRequest{All: true}); err != nil || program == "one" && len(r.Removed) > 0 {
			t.Errorf("prune: %+v %v", r, err)
		}
		ids = append(ids, i.ID)
	}
	if ids[0] != ids[1] || ids[1] == ids[2] {
		t.Errorf("ids: %v", ids)
	}
	s := openStore(t)
	if _, _, err := s.Resolve(t.Context(), api.HelloImage); api.CodeOf(err) != api.CodeNotFound || !strings.Contains(err.(*api.Error).Hint, "built without") {
		t.Errorf("without a program: %v", err)
	}
}

func TestFindByPartOfAnID(t *testing.T) {
	v := newSnapshot()
	for _, id := range []string{"abcd1" + strings.Repeat("0", 59), "abcd2" + strings.Repeat("0", 59)} {
		r := &record{}
		r.image.ID = "sha256:" + id
		v.images[r.image.ID] = r
	}
	for name, want := range map[string]api.Code{
		"abcd1": "", "sha256:abcd2": "", "abcd": api.CodeConflict, "abc": api.CodeNotFound, "abcd3": api.CodeNotFound, "../etc": api.CodeInvalid,
		"sha256:" + strings.Repeat("f", 64): api.CodeNotFound,
	} {
		if _, err := v.find(name); api.CodeOf(err) != want {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

func BenchmarkResolve(b *testing.B) {
	s := openStore(b)
	mustImport(b, s, "docker.io/library/debian:12", rootWith(b, "x"))
	for _, name := range []string{"debian:12", "debian"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, _, _ = s.Resolve(b.Context(), name)
			}
		})
	}
}
