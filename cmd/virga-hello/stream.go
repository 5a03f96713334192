package main

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// streams are what lasts longer than an answer, to try a way to instances
// with. They end when ctx does.
type streams struct{ ctx context.Context }

// events sends one a tenth of a second (server-sent events).
func (s streams) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		fmt.Fprintf(w, "data: %d from %s\n\n", i, hostname())
		if http.NewResponseController(w).Flush() != nil {
			return
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		case <-s.ctx.Done():
			return
		}
	}
}

const (
	// Of RFC 6455.
	webSocketID   = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	opClose       = 0x88 // with the bit of a last fragment
	opPing        = 0x89
	opPong        = 0x8a
	goingAway     = 1001
	farewellWait  = time.Second
	maskedPayload = 0x80
)

// echo is a WebSocket that sends back what it gets, and says farewell when the
// program is about to stop.
func (s streams) echo(w http.ResponseWriter, r *http.Request) {
	key := r.Header.Get("Sec-WebSocket-Key")
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") || key == "" {
		http.Error(w, "this is for WebSockets", http.StatusUpgradeRequired)
		return
	}
	c, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer c.Close()
	sum := sha1.Sum([]byte(key + webSocketID))
	fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
	stop := context.AfterFunc(s.ctx, func() { _ = c.SetReadDeadline(time.Now()) })
	defer stop()
	for {
		op, payload, err := readFrame(rw.Reader)
		switch ne := (net.Error)(nil); {
		case errors.As(err, &ne) && ne.Timeout(): // between two frames, or the client is as slow as that
			_ = writeFrame(c, opClose, binary.BigEndian.AppendUint16(nil, goingAway))
			_ = c.SetReadDeadline(time.Now().Add(farewellWait))
			_, _ = io.Copy(io.Discard, rw)
			return
		case err != nil:
			return
		case op == opClose:
			_ = writeFrame(c, opClose, payload)
			return
		case op == opPing:
			op = opPong
		}
		if writeFrame(c, op, payload) != nil {
			return
		}
	}
}

// readFrame reads a frame of a client's, which is masked.
func readFrame(r *bufio.Reader) (op byte, payload []byte, err error) {
	var head, length [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := int(head[1] &^ maskedPayload)
	if head[1]&maskedPayload == 0 || n == 127 {
		return 0, nil, errors.New("the frame is not masked, or too long")
	}
	if n == 126 {
		if _, err := io.ReadFull(r, length[:]); err != nil {
			return 0, nil, err
		}
		n = int(binary.BigEndian.Uint16(length[:]))
	}
	var mask [4]byte
	if _, err := io.ReadFull(r, mask[:]); err != nil {
		return 0, nil, err
	}
	payload = make([]byte, n)
	if _, err := io.ReadFull(r, payload); err != nil {
		return 0, nil, err
	}
	for i := range payload {
		payload[i] ^= mask[i%4]
	}
	return head[0], payload, nil
}

func writeFrame(w io.Writer, op byte, payload []byte) error {
	b := []byte{op, byte(len(payload))}
	if len(payload) > 125 {
		b = binary.BigEndian.AppendUint16([]byte{op, 126}, uint16(len(payload)))
	}
	_, err := w.Write(append(b, payload...))
	return err
}
