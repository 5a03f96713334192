package cli

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"testing"
)

func packedOf(t *testing.T, program string) *bytes.Reader {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(program)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(b.Bytes())
}

func TestUnpackDaemon(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "bin")
	packed := packedOf(t, "the first")
	first, err := unpackDaemon(packed, dir)
	if err != nil || filepath.Dir(first) != dir {
		t.Fatalf("unpackDaemon = %s, %v", first, err)
	}
	if b, err := os.ReadFile(first); err != nil || string(b) != "the first" {
		t.Fatalf("unpacked %q, %v", b, err)
	}
	// One that is there is left alone: only its name is compared.
	if err := os.WriteFile(first, []byte("marked"), 0o755); err != nil {
		t.Fatal(err)
	}
	again, err := unpackDaemon(packed, dir)
	if b, _ := os.ReadFile(again); err != nil || again != first || string(b) != "marked" {
		t.Errorf("again: %s, %q, %v", again, b, err)
	}
	// Another one, of the same size, replaces it.
	second, err := unpackDaemon(packedOf(t, "the other"), dir)
	if b, _ := os.ReadFile(second); err != nil || second == first || string(b) != "the other" {
		t.Errorf("the second: %s, %q, %v", second, b, err)
	}
	if left, err := filepath.Glob(dir + "/*"); err != nil || len(left) != 1 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestUnpackDaemonThatIsBroken(t *testing.T) {
	dir := t.TempDir()
	whole := packedOf(t, "a program")
	b := make([]byte, whole.Len())
	if _, err := whole.Read(b); err != nil {
		t.Fatal(err)
	}
	b[len(b)-12] ^= 1
	for name, b := range map[string][]byte{"changed": b, "short": b[:4], "empty": nil} {
		if path, err := unpackDaemon(bytes.NewReader(b), dir); err == nil {
			t.Errorf("%s: unpacked as %s", name, path)
		}
	}
	if left, err := filepath.Glob(dir + "/*"); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}
