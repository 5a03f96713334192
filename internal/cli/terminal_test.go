package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/creack/pty"
	"github.com/virga-cloud/virga/api"
	"golang.org/x/term"
)

// onTerminal runs a command on a pseudo terminal of 100 by 30 characters whose
// other side type is given, and returns its status.
func onTerminal(t *testing.T, f *fakeAPI, typing func(master *os.File), args ...string) int {
	t.Helper()
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	defer tty.Close()
	if err := pty.Setsize(master, &pty.Winsize{Cols: 100, Rows: 30}); err != nil {
		t.Fatal(err)
	}
	before, err := term.GetState(int(tty.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	a := &App{In: tty, Out: tty, Err: tty, Env: f.env}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan int, 1)
	go func() { done <- a.Run(ctx, args) }()
	typing(master)
	status := <-done
	after, err := term.GetState(int(tty.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	if *before != *after {
		t.Errorf("the terminal was left as %+v, was %+v", after, before)
	}
	return status
}

// until reads the terminal until text has been shown.
func until(t *testing.T, master *os.File, text string) {
	t.Helper()
	var seen bytes.Buffer
	buf := make([]byte, 1024)
	for !strings.Contains(seen.String(), text) {
		n, err := master.Read(buf)
		seen.Write(buf[:n])
		if err != nil {
			t.Errorf("the terminal ended before %q: %q", text, seen.String())
			return
		}
	}
}

// control reads the session's next control message.
func control(ctx context.Context, c *websocket.Conn) (m api.SessionControl) {
	for {
		kind, b, err := c.Read(ctx)
		if err != nil {
			return m
		}
		if kind == websocket.MessageText {
			_ = json.Unmarshal(b, &m)
			return m
		}
	}
}

func TestRunOnATerminal(t *testing.T) {
	f := newFake(t)
	f.images = []api.Image{{Names: []string{"debian:12"}}}
	f.session = func(ctx context.Context, c *websocket.Conn) {
		if m := control(ctx, c); m.Resize == nil || *m.Resize != (api.WindowSize{Width: 100, Height: 30}) {
			t.Errorf("first message %+v, want the size", m)
		}
		sendOutput(ctx, c, api.StreamStdout, "prompt>")
		// Interrupts are typed characters on a raw terminal, not signals.
		kind, b, err := c.Read(ctx)
		if err != nil || kind != websocket.MessageBinary || string(b) != "\x00\x03" {
			t.Errorf("typed %q, %v", b, err)
		}
		code := 130
		sendControl(ctx, c, api.SessionControl{ExitCode: &code})
	}
	status := onTerminal(t, f, func(m *os.File) {
		until(t, m, "prompt>")
		_, _ = m.WriteString("\x03")
	}, "run", "-it", "debian:12")
	if status != 130 {
		t.Errorf("status %d", status)
	}
}

func TestDetachOnATerminal(t *testing.T) {
	f := newFake(t)
	f.images = []api.Image{{Names: []string{"debian:12"}}}
	left := make(chan string, 1)
	f.session = func(ctx context.Context, c *websocket.Conn) {
		sendOutput(ctx, c, api.StreamStdout, "prompt>")
		left <- readInput(ctx, c)
	}
	status := onTerminal(t, f, func(m *os.File) {
		until(t, m, "prompt>")
		_, _ = m.WriteString("ls\x10\x11")
	}, "run", "-it", "debian:12")
	if status != 0 {
		t.Errorf("status %d", status)
	}
	if in := <-left; in != "ls" {
		t.Errorf("the workload was sent %q", in)
	}
}

func TestTerminalIsRestoredWhenTheSessionBreaks(t *testing.T) {
	f := newFake(t)
	f.images = []api.Image{{Names: []string{"debian:12"}}}
	f.session = func(_ context.Context, c *websocket.Conn) { _ = c.CloseNow() }
	if status := onTerminal(t, f, func(*os.File) {}, "run", "-it", "debian:12"); status != exitVirga {
		t.Errorf("status %d", status)
	}
}

func TestTTYNeedsATerminal(t *testing.T) {
	f := newFake(t)
	if status, _, errs := f.virga("", "run", "-it", "debian:12"); status != exitVirga || !strings.Contains(errs, "not a terminal") {
		t.Errorf("status %d, %s", status, errs)
	}
}
