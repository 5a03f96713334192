package ws

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
)

// pipe is a connection whose peer's bytes are given and whose own are kept.
type pipe struct {
	io.Reader
	bytes.Buffer
}

func (p *pipe) Read(b []byte) (int, error)  { return p.Reader.Read(b) }
func (p *pipe) Write(b []byte) (int, error) { return p.Buffer.Write(b) }
func (p *pipe) Close() error                { return nil }

func open(in string) (*Conn, *pipe) {
	p := &pipe{Reader: strings.NewReader(in)}
	return New(p, bufio.NewReader(p)), p
}

// unmask returns the payload of the masked frame at the beginning of b, which
// is shorter than 126 bytes.
func unmask(b []byte) (op byte, payload string) {
	size := int(b[1] & 0x7f)
	mask, data := b[2:6], bytes.Clone(b[6:6+size])
	for i := range data {
		data[i] ^= mask[i%4]
	}
	return b[0] & 0x0f, string(data)
}

func TestRead(t *testing.T) {
	long := strings.Repeat("x", 300)
	for name, c := range map[string]struct {
		in   string
		kind Kind
		want string
		err  error
	}{
		"text":                       {"\x81\x02hi", Text, "hi", nil},
		"binary with a long length":  {"\x82\x7e\x01\x2c" + long, Binary, long, nil},
		"fragments around a ping":    {"\x01\x01a\x89\x01p\x80\x01b", Text, "ab", nil},
		"close":                      {"\x88\x02\x03\xe8", 0, "", io.EOF},
		"end without close":          {"", 0, "", io.ErrUnexpectedEOF},
		"end within a frame":         {"\x81\x05hi", 0, "", io.ErrUnexpectedEOF},
		"masked by the server":       {"\x81\x82\x00\x00\x00\x00hi", 0, "", ErrProtocol},
		"reserved bit":               {"\xc1\x02hi", 0, "", ErrProtocol},
		"unknown operation":          {"\x83\x00", 0, "", ErrProtocol},
		"continuation of nothing":    {"\x80\x01a", 0, "", ErrProtocol},
		"message within a message":   {"\x01\x01a\x81\x01b", 0, "", ErrProtocol},
		"length in too long a form":  {"\x82\x7e\x00\x01x", 0, "", ErrProtocol},
		"fragmented control frame":   {"\x09\x00", 0, "", ErrProtocol},
		"control frame of 126 bytes": {"\x89\x7e\x00\x7e" + long, 0, "", ErrProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			conn, _ := open(c.in)
			kind, msg, err := conn.Read()
			if kind != c.kind || string(msg) != c.want || !errors.Is(err, c.err) {
				t.Errorf("Read() = %d, %q, %v; want %d, %q, %v", kind, msg, err, c.kind, c.want, c.err)
			}
		})
	}
}

func TestReadRefusesLargeMessages(t *testing.T) {
	head := binary.BigEndian.AppendUint64([]byte{0x82, 127}, MaxMessage+1)
	conn, _ := open(string(head))
	if _, _, err := conn.Read(); err == nil || errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Read() = %v, want a refusal before reading the payload", err)
	}
}

func TestWrite(t *testing.T) {
	conn, p := open("\x89\x01p\x81\x01x")
	if err := conn.Write(Binary, []byte("a"), []byte("bc")); err != nil {
		t.Fatal(err)
	}
	if op, got := unmask(p.Bytes()); op != byte(Binary) || got != "abc" {
		t.Errorf("wrote %d %q", op, got)
	}
	p.Reset()
	if _, _, err := conn.Read(); err != nil {
		t.Fatal(err)
	}
	if op, got := unmask(p.Bytes()); op != opPong || got != "p" {
		t.Errorf("answered a ping with %d %q", op, got)
	}
	p.Reset()
	if err := errors.Join(conn.Close(), conn.Close()); err != nil {
		t.Fatal(err)
	}
	if op, got := unmask(p.Bytes()); op != opClose || got != "\x03\xe8" || p.Len() != 8 {
		t.Errorf("closed with %d %q", op, got)
	}
	if err := conn.Write(Text, nil); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Write after Close = %v", err)
	}
}

func TestWriteLengths(t *testing.T) {
	for _, size := range []int{0, 125, 126, 65535, 65536} {
		conn, p := open("")
		if err := conn.Write(Binary, make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		b := p.Bytes()
		b[1] &= 0x7f // as a server's frame: unmasked, with the mask taken out
		head := 2
		switch b[1] {
		case 126:
			head = 4
		case 127:
			head = 10
		}
		in := string(b[:head]) + string(b[head+4:])
		back, _ := open(in)
		_, msg, err := back.Read()
		if err != nil || len(msg) != size {
			t.Errorf("%d bytes came back as %d, %v", size, len(msg), err)
		}
	}
}

func TestAccept(t *testing.T) {
	// The example of RFC 6455, section 1.3.
	if got := Accept("dGhlIHNhbXBsZSBub25jZQ=="); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Errorf("Accept = %s", got)
	}
	if a, b := NewKey(), NewKey(); a == b || len(a) != 24 {
		t.Errorf("keys %q, %q", a, b)
	}
}

func FuzzSHA1(f *testing.F) {
	for _, n := range []int{0, 55, 56, 64, 119, 200} {
		f.Add(bytes.Repeat([]byte("a"), n))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if sha1Sum(b) != sha1.Sum(b) {
			t.Errorf("wrong for %q", b)
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("\x01\x01a\x89\x01p\x80\x01b\x88\x00"))
	f.Add([]byte("\x82\x7e\x00\x80"))
	f.Fuzz(func(t *testing.T, in []byte) {
		conn, _ := open(string(in))
		for {
			_, msg, err := conn.Read()
			if err != nil {
				return
			}
			if len(msg) > len(in) {
				t.Fatalf("%d bytes made a message of %d", len(in), len(msg))
			}
		}
	})
}
