package ws

import (
	"bufio"
	"encoding/binary"
	"io"
)

// header is the beginning of a frame.
type header struct {
	op    byte
	final bool
	size  uint64 // bytes of payload
}

// readHeader reads the header of a frame from a server: unmasked, without
// extensions, its length in the shortest form. A stream that ends before it is
// io.ErrUnexpectedEOF, because a peer closes with a close frame.
func readHeader(r *bufio.Reader) (header, error) {
	var b [8]byte
	if _, err := io.ReadFull(r, b[:2]); err != nil {
		return header{}, unexpected(err)
	}
	f := header{op: b[0] & 0x0f, final: b[0]&0x80 != 0, size: uint64(b[1])}
	if b[0]&0x70 != 0 || b[1]&0x80 != 0 {
		return header{}, ErrProtocol
	}
	extra, least := 0, uint64(0)
	switch f.size {
	case 126:
		extra, least = 2, 126
	case 127:
		extra, least = 8, 1<<16
	default:
		return f, nil
	}
	clear(b[:])
	if _, err := io.ReadFull(r, b[8-extra:]); err != nil {
		return header{}, unexpected(err)
	}
	f.size = binary.BigEndian.Uint64(b[:])
	if f.size < least {
		return header{}, ErrProtocol
	}
	return f, nil
}
