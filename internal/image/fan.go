package image

import (
	"context"
	"io"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

const (
	chunkSize  = 512 << 10
	chunkQueue = 4 // chunks that one consumer may lag behind
)

// chunk is a piece of a stream on its way to several consumers.
type chunk struct {
	buf  []byte
	n    int
	refs atomic.Int32
}

// fan reads src once and gives every consumer all of it, each in its own
// goroutine; memory is bounded by the slowest. It returns when all have ended,
// with the first error. A consumer may return early; the rest is read over.
func fan(ctx context.Context, src io.Reader, consumers ...func(io.Reader) error) error {
	g, ctx := errgroup.WithContext(ctx)
	pool := sync.Pool{New: func() any { return &chunk{buf: make([]byte, chunkSize)} }}
	queues := make([]chan *chunk, len(consumers))
	var srcErr error // written before the queues are closed
	for i, consume := range consumers {
		q := make(chan *chunk, chunkQueue)
		queues[i] = q
		r := &chunkReader{ctx: ctx, q: q, end: &srcErr, pool: &pool}
		g.Go(func() error {
			if err := consume(r); err != nil {
				return err
			}
			_, err := io.Copy(io.Discard, r)
			return err
		})
	}
	g.Go(func() error {
		defer func() {
			for _, q := range queues {
				close(q)
			}
		}()
		for {
			c := pool.Get().(*chunk)
			n, err := fill(src, c.buf)
			c.n = n
			c.refs.Store(int32(len(queues)))
			for _, q := range queues {
				if n == 0 {
					break
				}
				select {
				case q <- c:
				case <-ctx.Done():
					srcErr = ctx.Err()
					return srcErr
				}
			}
			if err == io.EOF {
				return nil
			}
			if err != nil {
				srcErr = err
				return nil // the consumers report it with what they were at
			}
		}
	})
	return g.Wait()
}

// fill reads until the buffer is full or the source ends, and returns the
// source's own error, which io.ReadFull does not.
func fill(r io.Reader, b []byte) (int, error) {
	n := 0
	for n < len(b) {
		k, err := r.Read(b[n:])
		if n += k; err != nil {
			return n, err
		}
	}
	return n, nil
}

type chunkReader struct {
	ctx  context.Context
	q    <-chan *chunk
	cur  *chunk
	off  int
	end  *error
	pool *sync.Pool
}

func (r *chunkReader) Read(p []byte) (int, error) {
	if r.cur == nil {
		select {
		case c, ok := <-r.q:
			if !ok {
				if *r.end != nil {
					return 0, *r.end
				}
				return 0, io.EOF
			}
			r.cur, r.off = c, 0
		case <-r.ctx.Done():
			return 0, &readError{r.ctx.Err()}
		}
	}
	n := copy(p, r.cur.buf[r.off:r.cur.n])
	if r.off += n; r.off == r.cur.n {
		if r.cur.refs.Add(-1) == 0 {
			r.pool.Put(r.cur)
		}
		r.cur = nil
	}
	return n, nil
}
