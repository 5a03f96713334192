package image

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/linux/tree"
)

// unpacked is a layer that lies complete in a temporary directory.
type unpacked struct {
	layer
	dir   string // its root
	shell string // the best shell in it, or ""
	*unpacker
}

// addLayer reads one layer from a stream, once: while it is unpacked, its
// digests are computed and its blob is written, each in its own goroutine. A
// stream that is compressed becomes the blob as it is; a plain one is
// compressed with zstd on the way. The layer and its blob are in the store,
// pinned, when it returns.
func (t *tx) addLayer(ctx context.Context, src io.Reader, b *budget, p policy) (*unpacked, error) {
	br, c, err := sniff(source{src})
	if err != nil {
		return nil, err
	}
	dir, err := t.tempDir()
	if err != nil {
		return nil, err
	}
	u := &unpacked{dir: filepath.Join(dir, "root")}
	blob := filepath.Join(dir, "blob")
	if c == plain {
		err = t.unpackStream(ctx, br, u, b, p, func(r io.Reader) error { return u.compress(r, blob) })
	} else {
		err = fan(ctx, br,
			func(r io.Reader) error { return u.copyBlob(r, blob, c) },
			func(r io.Reader) error {
				z, err := decompress(r, c, b.limits)
				if err != nil {
					return err
				}
				defer z.Close()
				return t.unpackStream(ctx, z, u, b, p)
			})
	}
	if err != nil {
		return nil, plainError(err)
	}
	if err := t.keepBlob(blob, u.Blob); err != nil {
		return nil, err
	}
	return u, t.keepLayer(u.dir, u.layer)
}

// unpackStream unpacks a plain tar into u.dir and computes its diff id; the
// others get the same bytes.
func (t *tx) unpackStream(ctx context.Context, r io.Reader, u *unpacked, b *budget, p policy, others ...func(io.Reader) error) error {
	if err := os.Mkdir(u.dir, 0o755); err != nil {
		return storeError("make layer directory", err)
	}
	if err := os.Chmod(u.dir, 0o755); err != nil { // whatever the umask
		return storeError("make layer directory", err)
	}
	root, err := tree.Open(u.dir)
	if err != nil {
		return storeError("unpack layer", err)
	}
	defer root.Close()
	u.unpacker = &unpacker{tree: root, policy: p, budget: b}
	h := sha256.New()
	err = fan(ctx, r, append(others,
		func(r io.Reader) error {
			n, err := io.CopyBuffer(onlyWriter{h}, onlyReader{r}, make([]byte, chunkSize))
			u.Tar = n
			return err
		},
		func(r io.Reader) error { return u.unpack(ctx, r) })...)
	u.DiffID, u.Size = digestSum(h), u.size
	for _, sh := range []string{"/bin/sh", "/bin/bash"} {
		if root.Has(sh) {
			u.shell = sh
		}
	}
	return err
}

// copyBlob writes a compressed stream as it is.
func (u *unpacked) copyBlob(r io.Reader, path string, c compression) error {
	u.Media = mediaLayer + "+" + string(c)
	return u.writeBlob(path, func(w io.Writer) error {
		_, err := io.CopyBuffer(w, onlyReader{r}, make([]byte, chunkSize))
		return err
	})
}

// compress writes a plain stream as zstd. One encoder at its fastest level
// gives the same bytes for the same input on every node.
func (u *unpacked) compress(r io.Reader, path string) error {
	u.Media = mediaLayer + "+zstd"
	return u.writeBlob(path, func(w io.Writer) error {
		z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
		if err != nil {
			return err
		}
		if _, err := io.CopyBuffer(onlyWriter{z}, onlyReader{r}, make([]byte, chunkSize)); err != nil {
			z.Close()
			return err
		}
		return z.Close()
	})
}

func (u *unpacked) writeBlob(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return storeError("write blob", err)
	}
	h := sha256.New()
	n := &countWriter{w: io.MultiWriter(f, h)}
	err = write(n)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		if errors.As(err, new(*os.PathError)) {
			return storeError("write blob", err)
		}
		return err
	}
	u.Blob, u.Stored = digestSum(h), n.n
	return nil
}

type countWriter struct {
	w io.Writer
	n int64
}

func (c *countWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// onlyReader and onlyWriter hide WriteTo and ReadFrom, which would copy with
// buffers of their own.
type (
	onlyReader struct{ io.Reader }
	onlyWriter struct{ io.Writer }
)

// asRefusal returns a copy of the *api.Error in err's chain.
func asRefusal(err error) (*api.Error, bool) {
	e, ok := errors.AsType[*api.Error](err)
	if !ok {
		return nil, false
	}
	c := *e
	return &c, true
}

// plainError turns what a pipeline ended with into what its caller reports.
func plainError(err error) error {
	if e, ok := asRefusal(err); ok {
		return e
	}
	if e, ok := errors.AsType[*readError](err); ok {
		return fmt.Errorf("read archive: %w", e.err)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return badStream(err)
	}
	return err
}
