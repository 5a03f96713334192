package test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
)

// evil is an archive that lies or is broken, in any of the forms that an import
// takes.
type evil struct {
	name string
	body func(a *archive, victim string) []byte
	want string // what the refusal names; "" is taken, and contained
	once bool   // as it is, without packing it again
}

// A broken or malicious archive is refused with a reason that names what is
// wrong, in each compression; nothing of it stays, and nothing outside of the
// store is touched. What is merely odd is contained.
func TestEvilArchives(t *testing.T) {
	d := Start(t)
	for _, e := range evils() {
		t.Run(strings.ReplaceAll(e.name, " ", "_"), func(t *testing.T) {
			outside := t.TempDir()
			victim := filepath.Join(outside, "victim")
			write(t, victim, "untouched\n")
			before := d.stored(t)
			body := e.body(newArchive(t), victim)
			packings := map[string]func(*testing.T, []byte) []byte{"plain": asItIs, "gzip": gzipped, "zstd": zstandard}
			if e.once {
				packings = map[string]func(*testing.T, []byte) []byte{"plain": asItIs}
			}
			for form, pack := range packings {
				file := filepath.Join(t.TempDir(), "evil.tar")
				must(t, os.WriteFile(file, pack(t, body), 0o600))
				r := d.CLI("image", "import", file, "evil")
				switch {
				case e.want == "" && r.Code != 0:
					t.Errorf("%s: %v", form, r)
				case e.want == "":
					d.Must(t, "image", "rm", "evil")
				case r.Code == 0:
					t.Errorf("%s: taken: %v", form, r)
					d.CLI("image", "rm", "evil")
				default:
					if r.Code != 2 {
						t.Errorf("%s: exit %d, want 2", form, r.Code)
					}
					contains(t, oneMessage(t, r), e.want)
				}
				if diff := cmp.Diff(before, d.stored(t)); diff != "" {
					t.Errorf("%s: the store has changed:\n%s", form, diff)
				}
			}
			equal(t, "the file outside", read(t, victim), "untouched\n")
			if list, err := os.ReadDir(outside); err != nil || len(list) != 1 {
				t.Errorf("outside: %v %v", list, err)
			}
		})
	}
	if text := d.Must(t, "image", "ls"); strings.Contains(text, "evil") {
		t.Errorf("a refused image is listed:\n%s", text)
	}
	equal(t, "an import afterwards", d.Must(t, "run", "--rm", d.Busybox(t), "echo", "works"), "works")
}

func evils() []evil {
	root := func(name, want string, fill func(a *archive, victim string)) evil {
		return evil{name: name, want: want, body: func(a *archive, victim string) []byte {
			fill(a, victim)
			return a.bytes()
		}}
	}
	raw := func(name, want string, body func(a *archive, victim string) []byte) evil {
		return evil{name, body, want, true}
	}
	all := []evil{
		raw("empty", "empty", func(*archive, string) []byte { return nil }),
		raw("text", "not a tar", func(*archive, string) []byte { return bytes.Repeat([]byte("just some text\n"), 100) }),
		raw("zip", "zip", func(*archive, string) []byte { return []byte("PK\x03\x04 and so on") }),
		root("path that climbs out", "leaves the root", func(a *archive, victim string) {
			a.file("../../../../../../../../.."+victim, 0o644, "overwritten")
		}),
		root("path that climbs out later", "leaves the root", func(a *archive, victim string) {
			a.dir("a", 0o755)
			a.file("a/../../../../../../../../.."+victim, 0o644, "overwritten")
		}),
		root("hard link that climbs out", "leaves the root", func(a *archive, victim string) {
			a.link("mine", "../../../../../../.."+victim)
		}),
		root("hard link to an absolute path", "not in the archive", func(a *archive, victim string) {
			a.link("mine", victim)
			a.file("mine", 0o644, "overwritten")
		}),
		root("hard link through a symlink", "not in the archive", func(a *archive, victim string) {
			a.symlink("out", filepath.Dir(victim))
			a.link("mine", "out/victim")
		}),
		root("device node", "device", func(a *archive, _ string) { a.device("etc/disk") }),
		root("root that is a symlink", "root", func(a *archive, victim string) { a.symlink(".", filepath.Dir(victim)) }),
		root("name that is too long", "too long", func(a *archive, _ string) { a.file(strings.Repeat("n", 300), 0o644, "") }),
		root("attribute that steers overlayfs", "overlay", func(a *archive, _ string) {
			a.add(tar.Header{Typeflag: tar.TypeReg, Name: "a", Mode: 0o644, PAXRecords: map[string]string{"SCHILY.xattr.trusted.overlay.redirect": "/etc"}}, "")
		}),
		raw("absurd size", "bytes", func(a *archive, _ string) []byte {
			must(a.t, a.w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "big", Mode: 0o644, Size: 1 << 50, Format: tar.FormatPAX}))
			a.buf.Write(make([]byte, 4096))
			return a.buf.Bytes()
		}),
		raw("bomb of gzip", "bomb", func(a *archive, _ string) []byte {
			return bomb(a, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
		}),
		raw("bomb of zstd", "bomb", func(a *archive, _ string) []byte {
			return bomb(a, func(w io.Writer) io.WriteCloser {
				z, err := zstd.NewWriter(w)
				must(a.t, err)
				return z
			})
		}),

		root("absolute path", "", func(a *archive, victim string) { a.file(victim, 0o644, "inside") }),
		root("file through a symlink", "", func(a *archive, victim string) {
			a.dir("tmp", 0o755)
			a.symlink("out", "/tmp")
			a.file("out/victim", 0o644, "inside")
		}),
		root("file for a symlink", "", func(a *archive, victim string) {
			a.symlink("victim", victim)
			a.file("victim", 0o644, "inside")
		}),
		root("mode and owner of a symlink", "", func(a *archive, victim string) {
			a.add(tar.Header{Typeflag: tar.TypeSymlink, Name: "l", Linkname: victim, Mode: 0o777, Uid: 7}, "")
		}),
		root("devices of dev", "", func(a *archive, _ string) { a.device("dev/sda"); a.file("a", 0o644, "") }),
	}
	all = append(all, truncated()...)
	return append(all, lies()...)
}

// truncated are streams that break off.
func truncated() (all []evil) {
	for _, at := range []string{"half", "end"} {
		for name, pack := range map[string]func(*testing.T, []byte) []byte{"tar": asItIs, "gzip": gzipped, "zstd": zstandard} {
			all = append(all, evil{name: name + " without its " + at, want: "truncated", once: true, body: func(a *archive, _ string) []byte {
				a.file("a", 0o644, strings.Repeat("random enough? ", 400))
				a.file("b", 0o644, hex.EncodeToString(sha256.New().Sum(nil)))
				b := pack(a.t, a.bytes())
				if at == "half" {
					return b[:len(b)/2]
				}
				if name == "tar" {
					return b[:len(b)-1024] // the two blocks of zeros
				}
				return b[:len(b)-3]
			}})
		}
	}
	return all
}

// lies are archives of images whose parts are not what they are said to be.
func lies() []evil {
	wrong := strings.Repeat("a", 64)
	docker := func(name, want string, config func(layer []byte) string, layer func(a *archive) []byte) evil {
		return evil{name: "docker save: " + name, want: want, body: func(a *archive, _ string) []byte {
			l := layer(newArchive(a.t))
			c := config(l)
			a.file(sum([]byte(c))+".json", 0o644, c)
			a.file("layer.tar", 0o644, string(l))
			a.file("manifest.json", 0o644, fmt.Sprintf(`[{"Config":"%s.json","RepoTags":["evil:1"],"Layers":["layer.tar"]}]`, sum([]byte(c))))
			return a.bytes()
		}}
	}
	honest := func(l []byte) string { return imageConfig(sum(l)) }
	good := func(a *archive) []byte { a.file("a", 0o644, "x"); return a.bytes() }
	oci := func(name, want string, change func(blobs map[string]string, manifest *string)) evil {
		return evil{name: "OCI layout: " + name, want: want, body: func(a *archive, _ string) []byte {
			l := good(newArchive(a.t))
			c := imageConfig(sum(l))
			m := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",`+
				`"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%s","size":%d},`+
				`"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:%s","size":%d}]}`, sum([]byte(c)), len(c), sum(l), len(l))
			blobs := map[string]string{sum(l): string(l), sum([]byte(c)): c}
			digest := sum([]byte(m))
			change(blobs, &m)
			blobs[digest] = m
			a.file("oci-layout", 0o644, `{"imageLayoutVersion":"1.0.0"}`)
			a.file("index.json", 0o644, fmt.Sprintf(`{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%s","size":%d}]}`, digest, len(m)))
			for _, name := range slices.Sorted(maps.Keys(blobs)) {
				a.file("blobs/sha256/"+name, 0o644, blobs[name])
			}
			return a.bytes()
		}}
	}
	contentOf := func(blobs map[string]string, like string) string {
		for k, v := range blobs {
			if strings.Contains(v, like) {
				return k
			}
		}
		return ""
	}
	return []evil{
		docker("wrong digest of a layer", "wrong digest", func([]byte) string { return imageConfig(wrong) }, good),
		docker("layer that climbs out", "leaves the root", honest, func(a *archive) []byte { a.file("../../x", 0o644, "x"); return a.bytes() }),
		docker("layer with a device", "device", honest, func(a *archive) []byte { a.device("etc/disk"); return a.bytes() }),
		docker("layer that is no tar", "not a tar", honest, func(*archive) []byte { return []byte(strings.Repeat("x", 2000)) }),
		docker("configuration that is no JSON", "not valid", func([]byte) string { return "[" }, good),
		docker("more layers than there are", "layers", func(l []byte) string { return imageConfig(sum(l), sum(l)) }, good),
		{name: "docker save: files of the node", want: "missing", body: func(a *archive, victim string) []byte {
			a.file("manifest.json", 0o644, fmt.Sprintf(`[{"Config":"../../../..%s","RepoTags":["evil:1"],"Layers":["%s"]}]`, victim, victim))
			return a.bytes()
		}},
		{name: "docker save: link to a file of the node", want: "missing", body: func(a *archive, victim string) []byte {
			a.file("manifest.json", 0o644, `[{"Config":"c.json","RepoTags":["evil:1"],"Layers":["c.json"]}]`)
			a.symlink("c.json", victim)
			return a.bytes()
		}},
		oci("wrong digest of a layer", "wrong digest", func(blobs map[string]string, _ *string) {
			k := contentOf(blobs, "ustar")
			blobs[k] = strings.Replace(blobs[k], "x", "y", 1)
		}),
		oci("wrong digest of the configuration", "wrong digest", func(blobs map[string]string, _ *string) {
			blobs[contentOf(blobs, "rootfs")] += " "
		}),
		oci("wrong digest of the manifest", "wrong digest", func(_ map[string]string, m *string) { *m += " " }),
		oci("missing layer", "missing", func(blobs map[string]string, _ *string) { delete(blobs, contentOf(blobs, "ustar")) }),
	}
}

// stored lists what the image store has, with what its index says.
func (d *Daemon) stored(t *testing.T) []string {
	t.Helper()
	dir := filepath.Join(d.data(), "images")
	var all []string
	must(t, filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		all = append(all, p)
		return err
	}))
	var index any
	must(t, json.Unmarshal([]byte(read(t, filepath.Join(dir, "index.json"))), &index))
	return append(all, fmt.Sprint(index))
}

func imageConfig(layers ...string) string {
	return `{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:` + strings.Join(layers, `","sha256:`) + `"]}}`
}

// bomb is a small archive with 900 MiB of zeros behind its end.
func bomb(a *archive, pack func(io.Writer) io.WriteCloser) []byte {
	a.t.Helper()
	a.file("a", 0o644, "x")
	var out bytes.Buffer
	w := pack(&out)
	_, err := w.Write(a.bytes())
	must(a.t, err)
	zeros := make([]byte, 1<<20)
	for range 900 {
		_, err := w.Write(zeros)
		must(a.t, err)
	}
	must(a.t, w.Close())
	return out.Bytes()
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func asItIs(_ *testing.T, b []byte) []byte { return b }

func gzipped(t *testing.T, b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(b)
	must(t, err)
	must(t, w.Close())
	return out.Bytes()
}

func zstandard(t *testing.T, b []byte) []byte {
	enc, err := zstd.NewWriter(nil)
	must(t, err)
	defer enc.Close()
	return enc.EncodeAll(b, nil)
}
