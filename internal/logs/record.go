package logs

import (
	"bytes"
	"errors"
	"time"
)

// MaxText is the most text one record holds, in bytes. A longer line is split
// into records, all but the last of them partial.
const MaxText = 16 << 10

// maxRecord bounds what a reader takes for a record. Others may have written
// the log, so it is wider than what a Writer makes.
const maxRecord = 256 << 10

// Stream tells standard output from standard error.
type Stream uint8

// Streams.
const (
	Stdout Stream = 1
	Stderr Stream = 2
)

func (s Stream) String() string {
	if s == Stderr {
		return "stderr"
	}
	return "stdout"
}

// Record is one line of a log, or with Partial a piece of a line that goes on
// in the next record of the same stream.
type Record struct {
	Time    time.Time
	Stream  Stream
	Partial bool
	Text    []byte // without the newline
}

// ErrMalformed is returned by Parse for bytes that are no record.
var ErrMalformed = errors.New("malformed log record")

const timeFormat = "2006-01-02T15:04:05.000000000Z07:00"

// Append encodes r with its newline at the end of b. The text must hold none.
func (r *Record) Append(b []byte) []byte {
	b = r.Time.UTC().AppendFormat(b, timeFormat)
	b = append(b, ' ')
	b = append(b, r.Stream.String()...)
	tag := byte('F')
	if r.Partial {
		tag = 'P'
	}
	b = append(b, ' ', tag, ' ')
	b = append(b, r.Text...)
	return append(b, '\n')
}

// Parse decodes a line without its newline. The text lies in line.
func Parse(line []byte) (Record, error) {
	when, rest, ok := bytes.Cut(line, space)
	if !ok {
		return Record{}, ErrMalformed
	}
	t, err := time.Parse(time.RFC3339Nano, string(when))
	if err != nil {
		return Record{}, ErrMalformed
	}
	r := Record{Time: t}
	stream, rest, ok := bytes.Cut(rest, space)
	switch {
	case ok && string(stream) == "stdout":
		r.Stream = Stdout
	case ok && string(stream) == "stderr":
		r.Stream = Stderr
	default:
		return Record{}, ErrMalformed
	}
	// Tags may be followed by others after a colon.
	tags, text, ok := bytes.Cut(rest, space)
	tag, _, _ := bytes.Cut(tags, []byte{':'})
	if !ok || len(tag) != 1 || tag[0] != 'F' && tag[0] != 'P' {
		return Record{}, ErrMalformed
	}
	r.Partial = tag[0] == 'P'
	r.Text = text
	return r, nil
}

var space = []byte{' '}
