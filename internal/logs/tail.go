package logs

import (
	"bytes"
	"io"
	"os"
)

// tailStart returns the offset in f at which its last n whole lines begin, and
// how many of them the file has when there are fewer. A line in pieces counts
// once.
func tailStart(f *os.File, n int) (offset int64, have int, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	const block = 64 << 10
	var carry []byte     // the end of a record that begins in an earlier block
	start := info.Size() // of the record looked at last
	for at := info.Size(); at > 0; {
		size := min(at, block)
		at -= size
		b := make([]byte, size, size+int64(len(carry)))
		if _, err := f.ReadAt(b, at); err != nil && err != io.EOF {
			return 0, 0, err
		}
		b = append(b, carry...)
		for {
			// The last record of b is between the last two newlines.
			body := bytes.TrimSuffix(b, newline)
			i := bytes.LastIndexByte(body, '\n')
			if i < 0 && at > 0 {
				break
			}
			if r, err := Parse(body[i+1:]); err == nil && !r.Partial && len(body) < len(b) {
				if have == n {
					return start, have, nil
				}
				have++
			}
			start = at + int64(i) + 1
			b = b[:i+1]
			if len(b) == 0 {
				break
			}
		}
		if carry = b; len(carry) > maxRecord {
			carry = nil // no record is that long
		}
	}
	return 0, have, nil
}
