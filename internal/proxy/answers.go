package proxy

import (
	"io"
	"time"
)

// answers is where an answer goes: to the client, with the head in the same
// write as the first of the body.
type answers struct {
	session *session
	begun   bool  // the head, in the session's out, is on its way
	broken  error // what the client's side failed with
}

func (a *answers) Write(b []byte) (int, error) {
	if a.begun {
		return len(b), a.send(b)
	}
	a.session.out = append(a.session.out, b...)
	return len(b), a.flush()
}

// flush sends the head, if it was not sent yet.
func (a *answers) flush() error {
	if a.begun {
		return nil
	}
	a.begun = true
	return a.send(a.session.out)
}

func (a *answers) send(b []byte) error {
	err := a.session.write(b)
	if err != nil {
		a.broken = err
	}
	return err
}

// ReadFrom lets the kernel move large bodies between two sockets. It cannot be
// told then which of them failed: an end that came too early is the backend's,
// everything else is taken for the client's.
func (a *answers) ReadFrom(r io.Reader) (int64, error) {
	if err := a.flush(); err != nil {
		return 0, err
	}
	in := a.session.in
	in.SetWriteDeadline(time.Now().Add(paceStop))
	n, err := io.Copy(in.Conn, r)
	if err != nil {
		a.broken = err
	}
	return n, err
}
