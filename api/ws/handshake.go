package ws

import (
	"encoding/base64"
	"encoding/binary"
	"math/rand/v2"
)

// NewKey makes the Sec-WebSocket-Key of a request.
func NewKey() string {
	b := binary.NativeEndian.AppendUint64(nil, rand.Uint64())
	return base64.StdEncoding.EncodeToString(binary.NativeEndian.AppendUint64(b, rand.Uint64()))
}

// Accept is the Sec-WebSocket-Accept that answers key.
func Accept(key string) string {
	h := sha1Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(h[:])
}
