package deploy

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/virga-cloud/virga/internal/compose"
)

// files writes files below a new directory.
func files(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, n := range names {
		p := filepath.Join(dir, n)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(n), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestScanAndSince(t *testing.T) {
	dir := files(t, "a.js", "sub/b.js", "sub/b.txt", "node_modules/x/y.js", ".git/HEAD", "tmp/c.js")
	w := compose.Watch{Path: dir, Ignore: []string{"node_modules/", "/tmp", "tmp"}, Include: []string{"*.js"}}
	before, err := scan(w)
	if err != nil {
		t.Fatal(err)
	}
	changed, gone := before.since(tree{})
	if !slices.Equal(changed, []string{"a.js", "sub/b.js"}) || len(gone) > 0 {
		t.Fatalf("watched %v", changed)
	}
	if err := os.WriteFile(filepath.Join(dir, "a.js"), []byte("other"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "sub/b.js")); err != nil {
		t.Fatal(err)
	}
	now, err := scan(w)
	if err != nil {
		t.Fatal(err)
	}
	changed, gone = now.since(before)
	if !slices.Equal(changed, []string{"a.js"}) || !slices.Equal(gone, []string{"sub/b.js"}) {
		t.Errorf("changed %v, gone %v", changed, gone)
	}
	if none, err := scan(compose.Watch{Path: filepath.Join(dir, "missing")}); err != nil || len(none) > 0 {
		t.Errorf("a path that is not there: %v, %v", none, err)
	}
}

func TestFits(t *testing.T) {
	for _, tt := range []struct {
		pattern, name string
		want          bool
	}{
		{"*.js", "a/b.js", true}, {"a/*.js", "a/b.js", true}, {"a/*.js", "c/a/b.js", false}, {"**/b.js", "x/y/b.js", true},
		{"node_modules/", "node_modules/x/y.js", true}, {"./dist", "dist/a", true}, {"x/y", "x/y/z", true}, {"[", "a", false},
	} {
		if got := fits(tt.pattern, tt.name); got != tt.want {
			t.Errorf("%q fits %q: %v", tt.pattern, tt.name, got)
		}
	}
}

func TestPack(t *testing.T) {
	dir := files(t, "a", "s/b")
	for _, tt := range []struct {
		watch compose.Watch
		names []string
		want  []string
	}{
		{compose.Watch{Path: dir, Target: "/srv/app"}, []string{"a", "s/b"}, []string{"srv/app/", "srv/app/a", "srv/app/s/", "srv/app/s/b"}},
		{compose.Watch{Path: filepath.Join(dir, "a"), Target: "/etc/a.conf"}, []string{"."}, []string{"etc/a.conf"}},
		{compose.Watch{Path: dir, Target: "/"}, []string{"gone", "a"}, []string{"a"}},
	} {
		b, err := pack(tt.watch, tt.names)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for r := tar.NewReader(bytes.NewReader(b)); ; {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, h.Name)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%+v: %v, want %v", tt.watch, got, tt.want)
		}
	}
}

// What is not of the project is left alone, and a service that ended well is
// not run again.
func TestOwnedAndFind(t *testing.T) {
	type object struct {
		name   string
		labels map[string]string
	}
	all := []object{{"a", map[string]string{compose.LabelProject: "shop"}}, {"b", map[string]string{compose.LabelProject: "other"}}, {"c", nil}}
	mine := owned(all, "shop", func(o object) map[string]string { return o.labels })
	if len(mine) != 1 || mine[0].name != "a" {
		t.Errorf("owned: %v", mine)
	}
	if find(all, func(o *object) bool { return o.name == "b" }) == nil || find(all, func(o *object) bool { return o.name == "z" }) != nil {
		t.Error("find")
	}
}
