package pagecache

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestEnlarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	want := bytes.Repeat([]byte("0123456789abcde\n"), 5<<20/16)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for b := want; len(b) > 0; b = b[4096:] { // small pages
		if _, err := f.Write(b[:4096]); err != nil {
			t.Fatal(err)
		}
	}
	huge, err := Enlarge(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the file is another one, %v", err)
	}
	if huge == 0 {
		t.Skip("huge pages of files: not supported by this file system")
	}
	if huge != 4<<20 {
		t.Errorf("%d bytes lie in huge pages, want 4 MiB of 5", huge)
	}
}

func TestEnlargeWhatHasNoPages(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if huge, err := Enlarge(empty); huge != 0 || err != nil {
		t.Errorf("an empty file: %d, %v", huge, err)
	}
	if _, err := Enlarge(empty + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
