package proxy

import (
	"io"
	"net/http"
	"time"
)

// watchedBody notes that some of a body was taken. It is closed by who made
// it, not by each try.
type watchedBody struct {
	io.Reader
	read *bool
}

func (b *watchedBody) Read(p []byte) (int, error) {
	*b.read = true
	return b.Reader.Read(p)
}

func (b *watchedBody) Close() error { return nil }

// pacedBody is a body that must not come too slowly.
type pacedBody struct {
	io.ReadCloser
	pace pace
	rc   *http.ResponseController
}

func (b *pacedBody) Read(p []byte) (int, error) {
	_ = b.rc.SetReadDeadline(b.pace.deadline(time.Now())) // a connection that ends says so itself
	n, err := b.ReadCloser.Read(p)
	b.pace.came(int64(n), time.Now())
	if isTimeout(err) {
		err = errSlow
	}
	return n, err
}
