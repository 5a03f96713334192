package ledger

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/virga-cloud/virga/internal/control/cost"
)

const (
	maxLine = 2 << 20 // bytes

	exactSuffix  = ".jsonl"
	foldedSuffix = ".hours.jsonl"
	nameTime     = "20060102T150405Z"
)

// file is one of the files of the ledger, up to its size when it was listed.
type file struct {
	path         string
	sequence     int
	began, ended time.Time // ended is when the next was begun
	folded       bool
	size         int64
}

func parseName(name string) (file, bool) {
	var f file
	base, folded := strings.CutSuffix(name, foldedSuffix)
	if !folded {
		var ok bool
		if base, ok = strings.CutSuffix(name, exactSuffix); !ok {
			return f, false
		}
	}
	f.folded = folded
	var at string
	if n, err := fmt.Sscanf(base, "%d-%s", &f.sequence, &at); n != 2 || err != nil {
		return f, false
	}
	var err error
	f.began, err = time.Parse(nameTime, at)
	return f, err == nil && name == nameOf(f.sequence, f.began)+strings.TrimPrefix(name, base)
}

func nameOf(sequence int, began time.Time) string {
	return fmt.Sprintf("%08d-%s", sequence, began.UTC().Format(nameTime))
}

// read yields the lines of a file, as far as it went when it was listed.
func (f file) read(yield func(cost.Line)) error {
	r, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer r.Close()
	return readLines(io.LimitReader(r, f.size), yield)
}

// readLines yields the lines of r. One that is torn or foreign is skipped.
func readLines(r io.Reader, yield func(cost.Line)) error {
	b := bufio.NewReaderSize(r, 64<<10)
	var long []byte
	skip := false
	for {
		part, err := b.ReadSlice('\n')
		if len(long)+len(part) > maxLine {
			skip, long = true, nil
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			if !skip {
				long = append(long, part...)
			}
			continue
		}
		if line := append(long, part...); !skip && err == nil {
			var l cost.Line
			if json.Unmarshal(line, &l) == nil && l.Valid() {
				yield(l)
			}
		}
		long, skip = long[:0], false
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func encode(lines []cost.Line) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	for _, l := range lines {
		if err := e.Encode(l); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

func fold(f file) error {
	var lines []cost.Line
	if err := f.read(func(l cost.Line) { lines = append(lines, l) }); err != nil {
		return err
	}
	b, err := encode(cost.Fold(lines))
	if err != nil {
		return err
	}
	w, err := replaceFile(strings.TrimSuffix(f.path, exactSuffix)+foldedSuffix, b)
	if err != nil {
		return err
	}
	return errors.Join(w.Close(), os.Remove(f.path))
}

// replaceFile makes a file of b, whole or not at all, and returns it open for
// appending.
func replaceFile(path string, b []byte) (*os.File, error) {
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
