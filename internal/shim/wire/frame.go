package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// MaxFrame bounds a frame, MaxData the data of a stream in one frame.
const (
	MaxFrame = 4 << 20
	MaxData  = 32 << 10
	// Header is the size of a frame's header with its kind.
	Header = 5
)

// Kind says what a frame is.
type Kind uint8

// Kinds of frames.
const (
	KindHello Kind = iota + 1
	KindAttach
	KindReply
	KindExit
	KindStart
	KindSignal
	KindKill
	KindResize
	KindList
	KindForget
	KindForgetAll
	KindStop
	KindReady
	KindStdin
	KindCloseStdin
	KindStdout
	KindStderr
	KindEnd
)

// ErrMalformed is returned for bytes that are no frame or no such body.
var ErrMalformed = errors.New("malformed frame")

// Begin starts a frame at the end of b; Finish completes it.
func Begin(b []byte, k Kind) []byte { return append(b, 0, 0, 0, 0, byte(k)) }

// Finish writes the length of the frame that begins at start.
func Finish(b []byte, start int) []byte {
	binary.LittleEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	return b
}

// Frame encodes a frame with the given body.
func Frame(k Kind, body []byte) []byte {
	b := make([]byte, 0, Header+len(body))
	return Finish(append(Begin(b, k), body...), 0)
}

// ReadFrame reads one frame into buf, which it grows when needed. The body
// lies in the buffer that it returns.
func ReadFrame(r io.Reader, buf []byte, limit int) (Kind, []byte, []byte, error) {
	if cap(buf) < Header {
		buf = make([]byte, 512)
	}
	head := buf[:Header]
	if _, err := io.ReadFull(r, head); err != nil {
		return 0, nil, buf, err
	}
	n := int64(binary.LittleEndian.Uint32(head)) - 1
	if n < 0 || n > int64(limit) {
		return 0, nil, buf, fmt.Errorf("%w: length %d", ErrMalformed, n)
	}
	kind := Kind(head[4])
	if int64(cap(buf)) < n {
		buf = make([]byte, n)
	}
	body := buf[:n]
	if _, err := io.ReadFull(r, body); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, buf, err
	}
	return kind, body, buf, nil
}
