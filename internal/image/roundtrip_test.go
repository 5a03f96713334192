package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/virga-cloud/virga/api"
)

func gz(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zst(t testing.TB, b []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll(b, nil)
}

func export(t testing.TB, s *Store, name string, f api.ExportFormat) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.Export(t.Context(), []string{name}, f, &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestExportAndImportAgain(t *testing.T) {
	from := openStore(t)
	want := mustImport(t, from, "debian:12", tarOf(t, smallRoot...))
	for _, f := range []api.ExportFormat{api.ExportOCI, api.ExportDocker} {
		a := export(t, from, "debian:12", f)
		if !bytes.Equal(a, export(t, from, want.ID, f)) {
			t.Errorf("%s: two exports differ", f)
		}
		for form, pack := range map[string]func(testing.TB, []byte) []byte{
			"plain": func(_ testing.TB, b []byte) []byte { return b }, "gzip": gz, "zstd": zst,
		} {
			t.Run(string(f)+" "+form, func(t *testing.T) {
				to := openStore(t)
				got := mustImport(t, to, "", pack(t, a))
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("image changed:\n%s", d)
				}
				checkClean(t, to)
				b := export(t, to, "debian:12", f)
				if !bytes.Equal(a, b) {
					t.Error("exported again, it differs")
				}
				if same := mustImport(t, to, "", a); same.ID != want.ID {
					t.Error("imported twice, it is another image")
				}
				if n := mustImport(t, to, "other:1", a); n.ID != want.ID || len(n.Names) != 2 {
					t.Errorf("named: %v", n.Names)
				}
			})
		}
	}
}

func TestCompressedRootFileSystem(t *testing.T) {
	s := openStore(t)
	b := tarOf(t, smallRoot...)
	want := mustImport(t, s, "a", b)
	for name, packed := range map[string][]byte{"gzip": gz(t, b), "zstd": zst(t, b)} {
		got := mustImport(t, s, name, packed)
		if got.ID != want.ID {
			t.Errorf("%s: id %s, want %s", name, got.ID, want.ID)
		}
	}
	checkClean(t, s)
}

func TestWhiteoutsBecomeOverlays(t *testing.T) {
	s := openStore(t)
	tx := s.begin()
	defer tx.end()
	u, err := tx.addLayer(t.Context(), bytes.NewReader(tarOf(t,
		file{name: "etc/"}, file{name: "etc/.wh.gone"}, file{name: "var/.wh..wh..opq"}, file{name: "var/new", body: "x"},
		file{name: ".wh.srv"}, file{name: "srv/"}, file{name: "srv/again", body: "y"},
		file{name: "opt/"}, file{name: ".wh.opt"},
		file{name: "x", body: "1"}, file{name: ".wh.x"}, file{name: ".wh..wh.plnk", body: ""},
	)), newBudget(s.limits), ociLayer)
	if err != nil {
		t.Fatal(err)
	}
	dir := s.layerPath(u.DiffID)
	i, err := os.Lstat(filepath.Join(dir, "etc/gone"))
	if err != nil || i.Mode()&os.ModeCharDevice == 0 {
		t.Errorf("etc/gone is no whiteout: %v %v", i, err)
	}
	for _, d := range []string{"var", "srv", "opt"} {
		if !opaque(t, filepath.Join(dir, d)) {
			t.Errorf("%s is not opaque", d)
		}
	}
	if opaque(t, filepath.Join(dir, "etc")) {
		t.Error("etc is opaque")
	}
	if b, err := os.ReadFile(filepath.Join(dir, "x")); err != nil || string(b) != "1" {
		t.Errorf("x: %q %v", b, err)
	}
}

func TestLegacyDockerArchiveWithLinks(t *testing.T) {
	s := openStore(t)
	l := tarOf(t, file{name: "a", body: "1"})
	id := digestOf(l)
	cfg := []byte(`{"architecture":"amd64","os":"linux","config":{"Cmd":["/a"],"Healthcheck":{"Test":["CMD","/a"],"Retries":2}},` +
		`"rootfs":{"type":"layers","diff_ids":["` + id + `","` + id + `"]}}`)
	h1, h2 := hexOf(digestOf([]byte("1"))), hexOf(digestOf([]byte("2")))
	a := tarOf(t,
		file{name: h1 + "/"}, file{name: h1 + "/VERSION", body: "1.0"}, file{name: h1 + "/layer.tar", body: string(l)},
		file{name: h2 + "/"}, file{name: h2 + "/layer.tar", link: "../" + h1 + "/layer.tar", kind: tar.TypeSymlink},
		file{name: hexOf(digestOf(cfg)) + ".json", body: string(cfg)},
		file{name: "manifest.json", body: `[{"Config":"` + hexOf(digestOf(cfg)) + `.json","RepoTags":["docker.io/library/two:1","b:2"],"Layers":["` + h1 + `/layer.tar","` + h2 + `/layer.tar"]}]`},
		file{name: "repositories", body: "{}"})
	i := mustImport(t, s, "", a)
	if i.ID != digestOf(cfg) || len(i.Layers) != 2 || i.Config.Health.Retries != 2 {
		t.Errorf("image %+v", i)
	}
	if d := cmp.Diff([]string{"b:2", "two:1"}, i.Names); d != "" {
		t.Error(d)
	}
	if _, dirs, _ := s.Resolve(t.Context(), "two:1"); len(dirs) != 1 {
		t.Errorf("an equal layer is listed twice: %v", dirs)
	}
}

// Several images make one archive, with the names they were asked for by, and
// come back from it.
func TestExportOfSeveralImages(t *testing.T) {
	from := openStore(t)
	a := mustImport(t, from, "app:1", tarOf(t, smallRoot...))
	b := mustImport(t, from, "db:2", tarOf(t, append(slices.Clone(smallRoot), file{name: "./etc/more", body: "more"})...))
	if err := from.Tag(t.Context(), a.ID, "app:other"); err != nil {
		t.Fatal(err)
	}
	for _, f := range []api.ExportFormat{api.ExportOCI, api.ExportDocker} {
		var archive bytes.Buffer
		if err := from.Export(t.Context(), []string{"app:1", b.ID, "app:1"}, f, &archive); err != nil {
			t.Fatal(err)
		}
		to := openStore(t)
		var came []string
		first, err := to.Import(t.Context(), "", bytes.NewReader(archive.Bytes()), func(p api.Progress) {
			if p.Image != nil {
				came = append(came, p.Image.Names...)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"app:1", "db:2"}; !slices.Equal(came, want) || !slices.Equal(first.Names, want[:1]) {
			t.Errorf("%s: %q came, %q first; want %q", f, came, first.Names, want)
		}
		if _, err := openStore(t).Import(t.Context(), "one:name", bytes.NewReader(archive.Bytes()), nil); api.CodeOf(err) != api.CodeInvalid {
			t.Errorf("%s: two images under one name: %v", f, err)
		}
	}
	if err := from.Export(t.Context(), []string{"app:1", "none"}, api.ExportOCI, io.Discard); api.CodeOf(err) != api.CodeNotFound {
		t.Errorf("export of a missing image: %v", err)
	}
}
