package wire

import (
	"bytes"
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/virga-cloud/virga/internal/linux/launch"
)

func sample(t testing.TB) *Start {
	b := launch.NewBuilder()
	b.Stdio(true)
	b.Exec([]string{"/bin/a"}, []string{"a"}, nil)
	p, err := b.Program()
	if err != nil {
		t.Fatal(err)
	}
	return &Start{ID: "x/1", Program: p, TTY: true, Log: "/l", LogSize: 5, LogFiles: 2, Width: 80, Height: 24}
}

func TestStartIsKept(t *testing.T) {
	s := sample(t)
	var e Encoder
	s.Encode(&e)
	got, err := DecodeStart(&Decoder{B: e.B})
	if err != nil || !cmp.Equal(s, got) {
		t.Errorf("%v\n%s", err, cmp.Diff(s, got))
	}
}

func TestProcessIsKept(t *testing.T) {
	p := Process{ID: "x", PID: 7, Started: time.Unix(1, 2), Ended: true, Status: 0x900, Finished: time.Unix(3, 4)}
	var e Encoder
	EncodeProcesses(&e, []Process{p})
	d := Decoder{B: e.B}
	if got := DecodeProcesses(&d); d.Err() != nil || !cmp.Equal([]Process{p}, got) {
		t.Errorf("got %+v, %v", got, d.Err())
	}
}

func TestErrorsAreKept(t *testing.T) {
	for _, want := range []error{
		nil, ErrNotFound, ErrExists, ErrRunning, launch.ErrKilled,
		&launch.Error{Step: 3, Name: "mount", Errno: uint16(syscall.ENOSPC), Exec: true},
	} {
		var e Encoder
		EncodeError(&e, want)
		d := Decoder{B: e.B}
		got := DecodeError(&d)
		if s, ok := errors.AsType[*launch.Error](want); ok {
			if !cmp.Equal(error(s), got) {
				t.Errorf("got %#v", got)
			}
		} else if got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	var e Encoder
	sample(f).Encode(&e)
	f.Add(Frame(KindStart, e.B))
	f.Add(Frame(KindExit, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, body, _, err := ReadFrame(bytes.NewReader(b), nil, MaxFrame)
		if err != nil {
			return
		}
		if s, err := DecodeStart(&Decoder{B: body}); err == nil {
			var e Encoder
			s.Encode(&e)
			if _, err := DecodeStart(&Decoder{B: e.B}); err != nil {
				t.Error(err)
			}
		}
		d := Decoder{B: body}
		_ = DecodeError(&d)
		_ = DecodeProcesses(&d)
		d = Decoder{B: body}
		var i Info
		i.Decode(&d)
	})
}
