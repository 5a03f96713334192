package image

import (
	"bytes"
	"io"
	"testing"

	"github.com/virga-cloud/virga/api"
)

// fuzzLimits keep what one input may cost small.
var fuzzLimits = Limits{
	Unpacked: 1 << 20, Files: 200, Ratio: 50, RatioFree: 1 << 20, Manifest: 1 << 16, SmallMemory: 1 << 18, Layers: 8,
}

// FuzzImport feeds any bytes to an import: it ends with an image or with an
// error of the archive's, and leaves nothing else.
func FuzzImport(f *testing.F) {
	root := tarOf(f, smallRoot...)
	f.Add(root)
	f.Add(gz(f, root))
	f.Add(zst(f, root))
	f.Add([]byte("PK\x03\x04"))
	s := openStore(f)
	mustImport(f, s, "x:1", root)
	f.Add(export(f, s, "x:1", api.ExportOCI))
	f.Add(export(f, s, "x:1", api.ExportDocker))
	s = openStore(f, func(c *Config) { c.Limits = fuzzLimits })
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := s.Import(t.Context(), "", bytes.NewReader(b), nil)
		if err != nil && api.CodeOf(err) != api.CodeInvalid && api.CodeOf(err) != api.CodeNotFound {
			t.Errorf("not the archive's fault: %v", err)
		}
		if _, err := s.Prune(t.Context(), api.PruneRequest{All: true}); err != nil {
			t.Error(err)
		}
		checkClean(t, s)
	})
}

// FuzzParse feeds any bytes to the parsers of manifests, configurations and
// indexes.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"config":{"digest":"sha256:` + hexOf(digestOf(nil)) + `"},"layers":[]}`))
	f.Add([]byte(`{"rootfs":{"type":"layers","diff_ids":["sha256:` + hexOf(digestOf(nil)) + `"]},"config":{"Env":["A=b"]}}`))
	f.Add([]byte(`{"manifests":[{"digest":"sha256:` + hexOf(digestOf(nil)) + `","platform":{"os":"linux","architecture":"amd64"}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		want, _ := parsePlatform("linux/amd64")
		m, _ := parseManifest(b)
		c, cerr := parseConfig(b, Limits{}.withDefaults())
		if cerr == nil {
			configOf(c.Config)
		}
		if m != nil && cerr == nil {
			_, _ = layersOf(m, c)
		}
		if i, err := parseIndex(b); err == nil {
			_, _ = choose(i, want)
		}
	})
}

// FuzzName feeds any text to the parser of names: what it accepts is stable.
func FuzzName(f *testing.F) {
	for _, n := range []string{"nginx", "docker.io/library/nginx:1", "localhost:5000/a/b@sha256:" + hexOf(digestOf(nil)), "../x"} {
		f.Add(n)
	}
	f.Fuzz(func(t *testing.T, n string) {
		c, err := canonical(n)
		if err != nil {
			return
		}
		if again, err := canonical(c); err != nil || again != c {
			t.Errorf("%q is %q, then %q, %v", n, c, again, err)
		}
	})
}

// FuzzDecompress checks that no stream yields more than its limits allow.
func FuzzDecompress(f *testing.F) {
	f.Add(gz(f, []byte("hello")))
	f.Add(zst(f, make([]byte, 1<<16)))
	f.Fuzz(func(t *testing.T, b []byte) {
		br, c, err := sniff(bytes.NewReader(b))
		if err != nil {
			return
		}
		z, err := decompress(br, c, fuzzLimits)
		if err != nil {
			return
		}
		defer z.Close()
		n, _ := io.Copy(io.Discard, z)
		if c != plain && n > fuzzLimits.RatioFree+int64(len(b))*fuzzLimits.Ratio+1<<16 {
			t.Errorf("%d bytes of %d", n, len(b))
		}
	})
}
