package socket

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// pair is two ends of a connection over loopback.
func pair(t *testing.T) (a, b *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	d, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); d.Close() })
	return c.(*net.TCPConn), d.(*net.TCPConn)
}

// received is what one Receive found.
type received struct {
	text    string
	drained bool
	err     error
}

// receive waits until there is something, and receives up to size bytes.
func receive(t *testing.T, raw syscall.RawConn, size int) (r received) {
	t.Helper()
	in, b := &Inbox{}, make([]byte, size)
	err := raw.Read(func(fd uintptr) bool {
		n, drained, err := in.Receive(fd, b)
		r = received{string(b[:n]), drained, err}
		return err != syscall.EAGAIN
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReceiveKnowsWhatIsLeft(t *testing.T) {
	near, far := pair(t)
	raw, err := near.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	far.Write([]byte("abcdef"))
	if got := receive(t, raw, 3); got.text != "abc" || got.drained {
		t.Errorf("before it was asked for: %+v", got)
	}
	if err := TellRest(raw); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, raw, 2); got.text != "de" || got.drained {
		t.Errorf("a part: %+v", got)
	}
	if got := receive(t, raw, 8); got.text != "f" || !got.drained {
		t.Errorf("the rest: %+v", got)
	}
	var empty received
	if err := raw.Control(func(fd uintptr) {
		n, drained, err := (&Inbox{}).Receive(fd, make([]byte, 8))
		empty = received{strings.Repeat("?", n), drained, err}
	}); err != nil || empty != (received{err: syscall.EAGAIN}) {
		t.Errorf("nothing: %+v, %v", empty, err)
	}
	far.Write([]byte("g"))
	far.CloseWrite()
	if got := receive(t, raw, 1); got.text != "g" {
		t.Errorf("the last: %+v", got)
	}
	if got := receive(t, raw, 8); got != (received{}) {
		t.Errorf("the end: %+v", got)
	}
}

func TestReceiveKnowsOfTheEndBehindTheData(t *testing.T) {
	near, far := pair(t)
	raw, err := near.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := TellRest(raw); err != nil {
		t.Fatal(err)
	}
	far.Write([]byte("x"))
	far.CloseWrite()
	raw.Control(func(fd uintptr) {
		for err := error(unix.EINTR); err == unix.EINTR; { // until the end is there, which comes last
			_, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}, -1)
		}
	})
	if got := receive(t, raw, 8); got.text != "x" || got.drained {
		t.Errorf("%+v", got)
	}
}

func TestReceiveAlone(t *testing.T) {
	near, far := pair(t)
	raw, err := near.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	receive := func() (got received) {
		b := make([]byte, 2)
		if err := raw.Read(func(fd uintptr) bool {
			n, err := Receive(fd, b)
			got = received{text: string(b[:n]), err: err}
			return err != syscall.EAGAIN
		}); err != nil {
			t.Fatal(err)
		}
		return got
	}
	raw.Control(func(fd uintptr) {
		if n, err := Receive(fd, make([]byte, 1)); n != 0 || err != syscall.EAGAIN {
			t.Errorf("nothing: %d, %v", n, err)
		}
	})
	far.Write([]byte("abc"))
	far.CloseWrite()
	for _, want := range []string{"ab", "c", ""} {
		if got := receive(); got != (received{text: want}) {
			t.Errorf("%+v, want %q", got, want)
		}
	}
}

func TestSendTakesWhatThereIsRoomFor(t *testing.T) {
	near, far := pair(t)
	raw, err := near.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	b, sent := make([]byte, 1<<20), 0
	send := func() (n int, err error) {
		if control := raw.Control(func(fd uintptr) { n, err = Send(fd, b) }); control != nil {
			t.Fatal(control)
		}
		return n, err
	}
	for {
		n, err := send()
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		sent += n
	}
	if sent == 0 {
		t.Error("nothing was sent")
	}
	far.SetLinger(0)
	far.Close() // with unread data: a reset
	for {
		if _, err := send(); err != nil {
			if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
				t.Error(err)
			}
			return
		}
	}
}
