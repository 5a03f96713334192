package image

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// stallLimit is how long a download may bring nothing before it is tried anew.
const stallLimit = 60 * time.Second

// download fetches a blob into its partial file, from where an earlier try
// stopped, and verifies it. The file stays when it fails, for the next try.
func (p *pull) download(ctx context.Context, l layer) error {
	p.tx.pin(l.Blob)
	f, err := os.OpenFile(p.tx.s.partialPath(l.Blob), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return &diskError{storeError("download layer", err)}
	}
	defer f.Close()
	d := &download{reg: p.reg, file: f, layer: l, hash: sha256.New()}
	if err := d.resume(); err != nil {
		return &diskError{storeError("download layer", err)}
	}
	old := d.have.Load()
	stop := p.progress.watch(short(l.Blob), "downloading", d.have.Load, l.Stored)
	defer stop()
	err = d.run(ctx)
	if old > 0 && errors.Is(err, errDigest) {
		// What an earlier try left may be the culprit.
		if err = d.restart(); err == nil {
			err = d.run(ctx)
		}
	}
	if errors.Is(err, errDigest) {
		os.Remove(f.Name())
		return wrongDigest("layer", l.Blob, digestSum(d.hash))
	}
	return err
}

var errDigest = errors.New("wrong digest")

// download is one blob on its way.
type download struct {
	reg   *registry
	file  *os.File
	layer layer
	hash  hash.Hash
	have  atomic.Int64
}

// resume reads what is there already.
func (d *download) resume() error {
	n, err := io.Copy(d.hash, d.file)
	if err != nil {
		return err
	}
	d.have.Store(n)
	if n > d.layer.Stored {
		return d.restart()
	}
	return nil
}

func (d *download) restart() error {
	d.hash.Reset()
	d.have.Store(0)
	if err := d.file.Truncate(0); err != nil {
		return err
	}
	_, err := d.file.Seek(0, io.SeekStart)
	return err
}

// run fetches until the blob is whole. A connection that breaks is tried again
// as long as each try brings something.
func (d *download) run(ctx context.Context) error {
	for d.have.Load() < d.layer.Stored {
		before := d.have.Load()
		err := retry(ctx, func() error {
			err := d.fetch(ctx)
			if err != nil && d.have.Load() > before && transient(ctx, err) {
				return nil // progress: the outer loop goes on
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if digestSum(d.hash) != d.layer.Blob {
		return errDigest
	}
	return nil
}

// fetch asks once for what is missing.
func (d *download) fetch(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	h := http.Header{}
	from := d.have.Load()
	if from > 0 {
		h.Set("Range", fmt.Sprintf("bytes=%d-%d", from, d.layer.Stored-1))
	}
	stall := time.AfterFunc(stallLimit, func() { cancel(errors.New("the registry sends nothing")) })
	defer stall.Stop()
	resp, err := d.reg.get(ctx, "blobs/"+d.layer.Blob, h, http.StatusOK, http.StatusPartialContent)
	if t, ok := errors.AsType[*transport.Error](err); ok && from > 0 && t.StatusCode < 500 &&
		t.StatusCode != http.StatusUnauthorized && t.StatusCode != http.StatusTooManyRequests {
		// It may be the range that it does not like.
		if err := d.restart(); err != nil {
			return &diskError{err}
		}
		return d.fetch(ctx)
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK && from > 0 || resp.StatusCode == http.StatusPartialContent &&
		!strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", from)) {
		if resp.StatusCode == http.StatusPartialContent {
			return refuse("the registry answers with another range than asked for")
		}
		if err := d.restart(); err != nil { // it does not know ranges
			return &diskError{err}
		}
	}
	buf := make([]byte, 128<<10)
	for {
		n, err := resp.Body.Read(buf)
		stall.Reset(stallLimit)
		if n > 0 {
			if d.have.Load()+int64(n) > d.layer.Stored {
				return refuse("layer %s is larger than the %d bytes its manifest says", short(d.layer.Blob), d.layer.Stored)
			}
			if _, err := d.file.Write(buf[:n]); err != nil {
				return &diskError{storeError("download layer", err)}
			}
			d.hash.Write(buf[:n])
			d.have.Add(int64(n))
		}
		if err == io.EOF {
			if d.have.Load() < d.layer.Stored {
				return io.ErrUnexpectedEOF
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
}
