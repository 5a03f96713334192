package image

import (
	"io"
	"sync/atomic"
)

// budget counts what the layers of one image cost. It may be used from several
// goroutines.
type budget struct {
	limits   Limits
	unpacked atomic.Int64
	files    atomic.Int64
}

func newBudget(l Limits) *budget { return &budget{limits: l} }

func (b *budget) file(size int64) error {
	if size < 0 {
		return refuse("a file of the layer has a negative size")
	}
	if b.files.Add(1) > b.limits.Files {
		return refuse("the image has more than %d files", b.limits.Files)
	}
	if n := b.unpacked.Add(size); n > b.limits.Unpacked || n < 0 {
		return refuse("the image unpacks to more than %d bytes", b.limits.Unpacked).
			WithHint("raise the node's limit for unpacked images if it is meant to be that large")
	}
	return nil
}

// counter counts the bytes read from r.
type counter struct {
	r io.Reader
	n atomic.Int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// inflated reads decompressed bytes and stops a bomb: data that grows out of
// all proportion to its compressed form.
type inflated struct {
	r      io.Reader
	in     *counter // the compressed bytes
	out    int64
	limits Limits
}

func (i *inflated) Read(p []byte) (int, error) {
	n, err := i.r.Read(p)
	i.out += int64(n)
	if i.out > i.limits.RatioFree && i.out/i.limits.Ratio > i.in.n.Load() {
		return 0, refuse("the archive expands more than %d times: it looks like a decompression bomb", i.limits.Ratio)
	}
	if max := i.limits.Unpacked + i.limits.Unpacked/4 + 1<<20; i.out > max {
		return 0, refuse("the archive expands to more than %d bytes", max)
	}
	return n, err
}
