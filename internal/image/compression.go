package image

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/virga-cloud/virga/api"
)

type compression string

const (
	plain       compression = "plain"
	gzipped     compression = "gzip"
	zstandard   compression = "zstd"
	maxWindow               = 128 << 20 // memory one zstd stream may ask for
	sniffLength             = 1024
	sniffBuffer             = 256 << 10 // more than one zstd block
)

// foreign are formats that are recognized only to be refused by name.
var foreign = []struct {
	magic string
	name  string
	hint  string
}{
	{"\xfd7zXZ\x00", "xz", "decompress it first: xz -dc FILE | virga image import - NAME"},
	{"BZh", "bzip2", "decompress it first: bzip2 -dc FILE | virga image import - NAME"},
	{"PK\x03\x04", "zip", "unpack it and make a tar of its content"},
	{"QFI\xfb", "qcow2", "this is a disk image; import takes root file systems and OCI images"},
	{"hsqs", "squashfs", "make a tar of its content: unsquashfs, then tar -c"},
}

// detect tells the compression of a stream from its first bytes.
func detect(head []byte) (compression, error) {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return gzipped, nil
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}), skippable(head):
		return zstandard, nil
	}
	for _, f := range foreign {
		if bytes.HasPrefix(head, []byte(f.magic)) {
			return "", refuse("%s is not a format that images are imported from", f.name).WithHint("%s", f.hint)
		}
	}
	return plain, nil
}

// skippable says whether the bytes begin a skippable zstd frame, as those of
// seekable streams do.
func skippable(b []byte) bool {
	return len(b) >= 4 && b[0]&0xf0 == 0x50 && b[1] == 0x2a && b[2] == 0x4d && b[3] == 0x18
}

// sniff returns a reader of the same bytes and their compression.
func sniff(r io.Reader) (*bufio.Reader, compression, error) {
	br := bufio.NewReaderSize(r, sniffBuffer)
	head, err := br.Peek(sniffLength)
	if len(head) == 0 && errors.Is(err, io.EOF) {
		return nil, "", refuse("the archive is empty")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, "", err
	}
	c, err := detect(head)
	return br, c, err
}

// decompress reads a compressed stream under limits. Close releases memory.
func decompress(r io.Reader, c compression, l Limits) (io.ReadCloser, error) {
	if c == plain {
		return io.NopCloser(r), nil
	}
	in := &counter{r: r}
	if c == gzipped {
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, badStream(err)
		}
		return &decompressor{Reader: &inflated{r: z, in: in, limits: l}, close: func() { z.Close() }}, nil
	}
	z, err := zstd.NewReader(in, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(2))
	if err != nil {
		return nil, badStream(err)
	}
	return &decompressor{Reader: &inflated{r: z, in: in, limits: l}, close: z.Close}, nil
}

type decompressor struct {
	io.Reader
	close func()
}

func (d *decompressor) Read(p []byte) (int, error) {
	n, err := d.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = badStream(err)
	}
	return n, err
}

func (d *decompressor) Close() error {
	d.close()
	return nil
}

// badStream turns an error of a decompressor or of the tar reader into one
// that says what is wrong with the archive.
func badStream(err error) error {
	if _, ok := errors.AsType[*api.Error](err); ok || err == nil {
		return err
	}
	if _, ok := errors.AsType[*readError](err); ok {
		return err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return refuse("the archive is truncated: it ends in the middle")
	}
	return refuse("the archive is damaged: %v", err)
}

// readError marks an error of the source itself, which says nothing about the
// archive: the network broke, the client went away.
type readError struct{ err error }

func (e *readError) Error() string { return "read archive: " + e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

// source marks the errors of r.
type source struct{ r io.Reader }

func (s source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return n, err // a body shorter than it was declared: truncated
		}
		err = &readError{err}
	}
	return n, err
}
