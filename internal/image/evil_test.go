package image

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/virga-cloud/virga/api"
)

// listing names everything below a directory.
func listing(t testing.TB, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(p string, _ os.DirEntry, err error) error {
		out = append(out, p)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestEvilRootFileSystems: each archive is refused with the reason that it
// deserves, or contained, and nothing changes outside of the store or, when it
// is refused, within it.
func TestEvilRootFileSystems(t *testing.T) {
	long := strings.Repeat("n", 300)
	many := make([]file, 40)
	for i := range many {
		many[i] = file{name: fmt.Sprintf("f%d", i)}
	}
	xattrs := make(map[string]string)
	for i := range 70 {
		xattrs[fmt.Sprintf("SCHILY.xattr.user.%d", i)] = "v"
	}
	for name, test := range map[string]struct {
		files  []file
		raw    []byte
		limits Limits
		want   string // "" means contained
	}{
		"empty":                {raw: []byte{}, want: "empty"},
		"no files":             {raw: make([]byte, 1024), want: "no files"},
		"text":                 {raw: []byte(strings.Repeat("hello ", 500)), want: "not a tar"},
		"xz":                   {raw: []byte("\xfd7zXZ\x00 and so on"), want: "xz"},
		"zip":                  {raw: []byte("PK\x03\x04 and so on"), want: "zip"},
		"gzip of nothing":      {raw: gz(t, nil), want: "no files"},
		"half a gzip":          {raw: gz(t, tarOf(t, smallRoot...))[:120], want: "truncated"},
		"gzip damaged":         {raw: damaged(gz(t, tarOf(t, smallRoot...))), want: "damaged"},
		"half a zstd":          {raw: zst(t, tarOf(t, smallRoot...))[:120], want: "truncated"},
		"truncated in a file":  {raw: tarOf(t, file{name: "a", body: strings.Repeat("x", 5000)})[:2000], want: "truncated"},
		"truncated in a head":  {raw: tarOf(t, file{name: "a", body: "x"}, file{name: "b"})[:1024+300], want: "truncated"},
		"truncated at an end":  {raw: tarOf(t, file{name: "a", body: "x"})[:1024], want: "truncated"},
		"parent traversal":     {files: []file{{name: "../../outside", body: "evil"}}, want: "leaves the root"},
		"hidden traversal":     {files: []file{{name: "a/"}, {name: "a/../../outside", body: "evil"}}, want: "leaves the root"},
		"hard link out":        {files: []file{{name: "x", link: "../../outside", kind: tar.TypeLink}}, want: "leaves the root"},
		"hard link absolute":   {files: []file{{name: "x", link: "/etc/passwd", kind: tar.TypeLink}}, want: "not in the archive"},
		"hard link by symlink": {files: []file{{name: "l", link: "/etc", kind: tar.TypeSymlink}, {name: "x", link: "l/passwd", kind: tar.TypeLink}}, want: "not in the archive"},
		"hard link to dir":     {files: []file{{name: "d/"}, {name: "x", link: "d", kind: tar.TypeLink}}, want: "refused"},
		"block device":         {files: []file{{name: "disk", kind: tar.TypeBlock, major: 8}}, want: "device node"},
		"kernel memory":        {files: []file{{name: "etc/mem", kind: tar.TypeChar, major: 1, minor: 1}}, want: "device node"},
		"root is a file":       {files: []file{{name: ".", body: "x"}}, want: "root"},
		"root is a link":       {files: []file{{name: ".", link: "/", kind: tar.TypeSymlink}}, want: "root"},
		"below a file":         {files: []file{{name: "a", body: "x"}, {name: "a/b", body: "x"}}, want: "not a directory"},
		"below a dead link":    {files: []file{{name: "l", link: "nowhere", kind: tar.TypeSymlink}, {name: "l/b", body: "x"}}, want: "refused"},
		"below a loop":         {files: []file{{name: "l", link: "l", kind: tar.TypeSymlink}, {name: "l/b", body: "x"}}, want: "refused"},
		"file for a full dir":  {files: []file{{name: "a/b", body: "x"}, {name: "a", body: "x"}}, want: "not empty"},
		"long name":            {files: []file{{name: long}}, want: "too long"},
		"very long name":       {files: []file{{name: strings.Repeat("a/", 3000) + "x"}}, want: "bytes"},
		"too many files":       {files: many, limits: Limits{Files: 20}, want: "more than 20 files"},
		"too large":            {files: []file{{name: "a", body: strings.Repeat("x", 5000)}}, limits: Limits{Unpacked: 4096}, want: "more than 4096 bytes"},
		"too many attributes":  {files: []file{{name: "a", pax: xattrs}}, want: "attributes"},
		"overlay redirect":     {files: []file{{name: "a/", pax: map[string]string{"SCHILY.xattr.trusted.overlay.redirect": "/etc"}}}, want: "overlay"},
		"overlay for users":    {files: []file{{name: "a/", pax: map[string]string{"SCHILY.xattr.user.overlay.opaque": "y"}}}, want: "overlay"},
		"impossible cap":       {files: []file{{name: "a", pax: map[string]string{"SCHILY.xattr.security.capability": "zz"}}}, want: "refused"},
		"bomb":                 {raw: gz(t, append(tarOf(t, file{name: "zero", body: strings.Repeat("\x00", 1<<20)}), make([]byte, 8<<20)...)), limits: Limits{RatioFree: 1 << 16, Ratio: 20}, want: "bomb"},

		"absolute name":         {files: []file{{name: "/etc/shadow", body: "evil"}}},
		"symlink out":           {files: []file{{name: "l", link: "../../../../..", kind: tar.TypeSymlink}, {name: "l/outside", body: "evil"}}},
		"absolute symlink out":  {files: []file{{name: "tmp/"}, {name: "l", link: "/tmp", kind: tar.TypeSymlink}, {name: "l/outside", body: "evil"}}},
		"write through symlink": {files: []file{{name: "l", link: "OUTSIDE", kind: tar.TypeSymlink}, {name: "l", body: "evil"}}},
		"link, then write":      {files: []file{{name: "l", link: "OUTSIDE", kind: tar.TypeSymlink}, {name: "h", link: "l", kind: tar.TypeLink}, {name: "h", body: "evil"}}},
		"mode of a symlink":     {files: []file{{name: "l", link: "OUTSIDE", kind: tar.TypeSymlink, mode: 0o777, uid: 7}}},
		"directory for symlink": {files: []file{{name: "l", link: "OUTSIDEDIR", kind: tar.TypeSymlink}, {name: "l/", mode: 0o777, uid: 7}, {name: "l/x", body: "evil"}}},
		"whiteout in rootfs":    {files: []file{{name: ".wh.a", body: "x"}}},
		"devices of /dev":       {files: []file{{name: "dev/sda", kind: tar.TypeBlock, major: 8}, {name: "a"}}},
		"sticky and setuid":     {files: []file{{name: "a", mode: 0o7777}}},
		"times out of range":    {files: []file{{name: "a", pax: map[string]string{"mtime": "-99999999999"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			outside := filepath.Join(t.TempDir(), "outside")
			if err := os.MkdirAll(outside+"dir", 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(outside, []byte("precious"), 0o600); err != nil {
				t.Fatal(err)
			}
			for i, f := range test.files {
				test.files[i].link = strings.NewReplacer("OUTSIDEDIR", outside+"dir", "OUTSIDE", outside).Replace(f.link)
			}
			raw := test.raw
			if raw == nil {
				raw = tarOf(t, test.files...)
			}
			s := openStore(t, func(c *Config) { c.Limits = test.limits })
			before := listing(t, filepath.Dir(s.dir))
			_, err := s.Import(t.Context(), "evil", bytes.NewReader(raw), nil)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.want != "" && (api.CodeOf(err) != api.CodeInvalid || !strings.Contains(err.Error(), test.want)):
				t.Errorf("error %v, want one with %q", err, test.want)
			}
			if err != nil && !slices.Equal(before, listing(t, filepath.Dir(s.dir))) {
				t.Errorf("left behind: %v", listing(t, s.dir))
			}
			checkClean(t, s)
			if b, err := os.ReadFile(outside); err != nil || string(b) != "precious" {
				t.Errorf("outside: %q %v", b, err)
			}
			if i, err := os.Stat(outside + "dir"); err != nil || i.Mode().Perm() != 0o700 || len(listing(t, outside+"dir")) != 1 {
				t.Errorf("outside directory: %v %v", i, err)
			}
		})
	}
}

func damaged(b []byte) []byte {
	c := slices.Clone(b)
	c[len(c)-6] ^= 0xff // the checksum
	return c
}

// TestEvilArchives: archives of images that lie.
func TestEvilArchives(t *testing.T) {
	l := tarOf(t, file{name: "a", body: "1"})
	diff := digestOf(l)
	cfg := func(diffs ...string) string {
		return `{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["` + strings.Join(diffs, `","`) + `"]}}`
	}
	docker := func(config, layers string) file {
		return file{name: "manifest.json", body: `[{"Config":"` + config + `","RepoTags":["x:1"],"Layers":[` + layers + `]}]`}
	}
	oci := func(manifest string) []file {
		d := digestOf([]byte(manifest))
		return []file{
			{name: "oci-layout", body: layoutFile},
			{name: "index.json", body: `{"schemaVersion":2,"manifests":[{"mediaType":"` + mediaManifest + `","digest":"` + d + `","size":1}]}`},
			{name: "blobs/sha256/" + hexOf(d), body: manifest},
		}
	}
	wrong := "sha256:" + strings.Repeat("a", 64)
	for name, test := range map[string]struct {
		files  []file
		limits Limits
		want   string
	}{
		"nothing else":         {files: []file{{name: "oci-layout", body: layoutFile}}, want: "neither"},
		"bad index":            {files: []file{{name: "index.json", body: "{"}}, want: "index is not valid"},
		"empty index":          {files: []file{{name: "index.json", body: "{}"}}, want: "no image"},
		"bad manifest list":    {files: []file{{name: "manifest.json", body: "7"}}, want: "not valid"},
		"digest that escapes":  {files: []file{{name: "index.json", body: `{"manifests":[{"digest":"sha256:../../../etc/passwd"}]}`}}, want: "not"},
		"missing manifest":     {files: []file{{name: "index.json", body: `{"manifests":[{"digest":"` + wrong + `"}]}`}}, want: "missing"},
		"wrong manifest":       {files: []file{{name: "index.json", body: `{"manifests":[{"digest":"` + wrong + `"}]}`}, {name: "blobs/sha256/" + hexOf(wrong), body: "{}"}}, want: "wrong digest"},
		"no configuration":     {files: oci(`{"schemaVersion":2}`), want: "no configuration"},
		"old schema":           {files: oci(`{"schemaVersion":1}`), want: "schema version"},
		"missing config":       {files: []file{docker("c.json", `"l.tar"`)}, want: "configuration"},
		"bad config":           {files: []file{{name: "manifest.json", body: docker("c.json", `"l.tar"`).body}, {name: "c.json", body: "["}}, want: "not valid"},
		"missing layer":        {files: []file{docker("c.json", `"l.tar"`), {name: "c.json", body: cfg(diff)}}, want: "missing"},
		"wrong layer":          {files: []file{docker("c.json", `"l.tar"`), {name: "c.json", body: cfg(wrong)}, {name: "l.tar", body: string(l)}}, want: "wrong digest"},
		"wrong config":         {files: []file{docker(hexOf(wrong)+".json", `"l.tar"`), {name: hexOf(wrong) + ".json", body: cfg(diff)}, {name: "l.tar", body: string(l)}}, want: "wrong digest"},
		"layers do not match":  {files: []file{docker("c.json", `"l.tar"`), {name: "c.json", body: cfg(diff, diff)}, {name: "l.tar", body: string(l)}}, want: "layers"},
		"layer is no tar":      {files: []file{docker("c.json", `"l.tar"`), {name: "c.json", body: cfg(diff)}, {name: "l.tar", body: "not a tar"}}, want: "not a tar"},
		"layer escapes":        {files: []file{docker("c.json", `"l.tar"`), {name: "c.json", body: cfg(diff)}, {name: "l.tar", body: string(tarOf(t, file{name: "../x"}))}}, want: "leaves the root"},
		"layer with a device":  {files: []file{docker("c.json", `"l.tar"`), {name: "c.json", body: cfg(diff)}, {name: "l.tar", body: string(tarOf(t, file{name: "dev/sda", kind: tar.TypeBlock, major: 8}))}}, want: "device"},
		"names a file outside": {files: []file{docker("../../../etc/passwd", `"/etc/shadow"`)}, want: "missing"},
		"link to outside":      {files: []file{docker("c.json", `"l.tar"`), {name: "c.json", link: "/etc/passwd", kind: tar.TypeSymlink}}, want: "missing"},
		"links in a circle":    {files: []file{docker("c.json", `"l.tar"`), {name: "c.json", link: "c.json", kind: tar.TypeSymlink}}, want: "missing"},
		"device in archive":    {files: []file{{name: "index.json", body: "{}"}, {name: "d", kind: tar.TypeBlock}}, want: "must not hold"},
		"too many layers":      {files: []file{docker("c.json", `"l.tar","l.tar","l.tar"`), {name: "c.json", body: cfg(diff, diff, diff)}, {name: "l.tar", body: string(l)}}, limits: Limits{Layers: 2}, want: "3 layers"},
		"too much memory":      {files: []file{{name: "manifest.json", body: "[]"}, {name: "a", body: strings.Repeat("x", 900)}, {name: "b", body: strings.Repeat("x", 900)}}, limits: Limits{SmallMemory: 1500}, want: "manifests"},
		"large manifest":       {files: []file{{name: "manifest.json", body: strings.Repeat(" ", 5000)}}, limits: Limits{Manifest: 4096}, want: "neither"},
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t, func(c *Config) { c.Limits = test.limits })
			before := listing(t, s.dir)
			files := test.files
			if !archiveEntry.MatchString(files[0].name) {
				files = append([]file{{name: "repositories", body: "{}"}}, files...)
			}
			for form, b := range map[string][]byte{"plain": tarOf(t, files...), "gzip": gz(t, tarOf(t, files...))} {
				_, err := s.Import(t.Context(), "evil", bytes.NewReader(b), nil)
				if api.CodeOf(err) != api.CodeInvalid || !strings.Contains(err.Error(), test.want) {
					t.Errorf("%s: error %v, want one with %q", form, err, test.want)
				}
				if after := listing(t, s.dir); !slices.Equal(before, after) {
					t.Errorf("%s: left behind: %v", form, after)
				}
			}
		})
	}
}
