package proxy

import (
	"errors"
	"io"
	"net"
	"time"
)

// framing is how the end of a body is known.
type framing uint8

const (
	none     framing = iota // there is no body
	counted                 // Content-Length
	chunks                  // Transfer-Encoding: chunked
	untilEOF                // the end of the connection
)

// requestFraming is that of a request's body.
func (h *head) requestFraming() framing {
	switch {
	case h.chunked:
		return chunks
	case h.length > 0:
		return counted
	}
	return none
}

// responseFraming is that of the answer to a request of that method.
func (h *head) responseFraming(method []byte, status int) framing {
	switch {
	case status < 200, status == 204, status == 304, string(method) == "HEAD":
		return none
	case h.chunked:
		return chunks
	case h.length == 0:
		return none
	case h.length > 0:
		return counted
	}
	return untilEOF
}

// errBody is a body whose source broke off or was malformed; what had been
// copied cannot be taken back. errSlow is one that came too slowly.
var (
	errBody = errors.New("the body ended early")
	errSlow = errors.New("the body took too long")
)

// bodyError is what it means for a body that its source failed with err.
func bodyError(err error) error {
	if isTimeout(err) {
		return errSlow
	}
	return errBody
}

func isTimeout(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}

// copyCounted moves n bytes of a body.
func copyCounted(dst io.Writer, src *stream, n int64) error {
	for n > 0 {
		if b := src.buffered(); len(b) > 0 {
			b = b[:min(int64(len(b)), n)]
			src.r += len(b)
			n -= int64(len(b))
			if _, err := dst.Write(b); err != nil {
				return err
			}
			continue
		}
		if n >= spliceFrom {
			src.extend()
			moved, err := io.CopyN(dst, src.Conn, min(n, splicePiece))
			n -= moved
			if src.pace != nil {
				src.pace.came(moved, time.Now())
			}
			switch {
			case err == io.EOF:
				return errBody
			case isTimeout(err):
				return errSlow
			case err != nil:
				return err // of either side
			}
			continue
		}
		if err := src.fill(copyBuffer); err != nil {
			return bodyError(err)
		}
	}
	return nil
}

// copyToEOF moves everything until the source closes.
func copyToEOF(dst io.Writer, src *stream) error {
	if b := src.buffered(); len(b) > 0 {
		src.r = src.w
		if _, err := dst.Write(b); err != nil {
			return err
		}
	}
	for {
		src.extend()
		n, err := io.CopyN(dst, src.Conn, splicePiece)
		if err == io.EOF {
			return nil
		}
		if err != nil && n == 0 {
			return err
		}
	}
}
