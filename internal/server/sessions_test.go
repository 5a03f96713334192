package server

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/virga-cloud/virga/api"
)

// drain reads a session to its end: its output, and the last control message.
func drain(t *testing.T, s *api.ClientSession, ready func()) (string, *api.SessionControl) {
	t.Helper()
	var out []byte
	var last *api.SessionControl
	for {
		_, data, c, err := s.Receive()
		if errors.Is(err, io.EOF) {
			return string(out), last
		}
		must(t, err)
		out = append(out, data...)
		switch {
		case c != nil && c.Ready:
			ready()
		case c != nil:
			last = c
		}
	}
}

func TestAttachBeforeTheStart(t *testing.T) {
	w, ctx := newWorld(t, nil), t.Context()
	r := hello("job", "cat")
	r.Spec.AutoRemove = true
	_, err := w.client.Create(ctx, r, false)
	must(t, err)
	s, err := w.client.Attach(ctx, "job", api.AttachOptions{Start: true})
	must(t, err)
	out, last := drain(t, s, func() {
		must(t, s.Resize(api.WindowSize{Width: 80, Height: 24}))
		_, err := s.Write([]byte("hello\n"))
		must(t, err)
		must(t, s.Signal("TERM"))
		must(t, s.CloseInput())
		// The fake's workload does not end with its session.
		must(t, w.client.Kill(ctx, "job", "TERM"))
	})
	if last == nil || last.ExitCode == nil || *last.ExitCode != 7 {
		t.Errorf("ended with %+v", last)
	}
	if out != "cat\nresized\nhello\nTERM\n" && out != "resized\nhello\nTERM\ncat\n" {
		t.Logf("output %q", out) // the fake starts beside the input
	}
	if _, err := w.client.Instance(ctx, "job"); api.CodeOf(err) != api.CodeNotFound {
		t.Errorf("the name is not free when the session has ended: %v", err)
	}
}

// A run creates, starts and connects in one call; what keeps it from being
// created is told before there is an instance, what keeps it from starting after.
func TestRun(t *testing.T) {
	w, ctx := newWorld(t, nil), t.Context()
	r := hello("job", "exit")
	r.Spec.AutoRemove = true
	s, id, err := w.client.Run(ctx, r)
	must(t, err)
	out, last := drain(t, s, func() {})
	if id == "" || last == nil || last.ExitCode == nil || *last.ExitCode != 7 || out != "exit\n" {
		t.Errorf("instance %q, output %q, ended with %+v", id, out, last)
	}
	if _, err := w.client.Instance(ctx, "job"); api.CodeOf(err) != api.CodeNotFound {
		t.Errorf("the name is not free when the session has ended: %v", err)
	}

	r.Spec.Image = "missing"
	_, _, err = w.client.Run(ctx, r)
	wantCode(t, "run of an image that is not there", err, api.CodeNotFound)
	if e, ok := errors.AsType[*api.Error](err); !ok || e.Field != "spec.image" {
		t.Errorf("field of %v", err)
	}
	s, _, err = w.client.Run(ctx, hello("other", "fail"))
	must(t, err)
	if _, last = drain(t, s, func() {}); last == nil || last.Error == nil || last.Error.Field != "spec.command" {
		t.Errorf("ended with %+v", last)
	}
}

func TestAttachToAFailedStart(t *testing.T) {
	w, ctx := newWorld(t, nil), t.Context()
	_, err := w.client.Create(ctx, hello("job", "fail"), false)
	must(t, err)
	s, err := w.client.Attach(ctx, "job", api.AttachOptions{Start: true})
	must(t, err)
	_, last := drain(t, s, func() {})
	if last == nil || last.Error == nil || last.Error.Field != "spec.command" {
		t.Errorf("ended with %+v", last)
	}
	_, err = w.client.Attach(ctx, "job", api.AttachOptions{})
	wantCode(t, "attach to a stopped instance", err, api.CodeConflict)
}

func TestExec(t *testing.T) {
	w, ctx := newWorld(t, nil), t.Context()
	_, err := w.client.Create(ctx, hello("web"), true)
	must(t, err)
	for command, want := range map[string]api.Code{"exit": "", "missing": api.CodeNotFound, "": api.CodeInvalid} {
		s, err := w.client.Exec(ctx, "web", api.ExecSpec{Command: []string{command}})
		must(t, err)
		out, last := drain(t, s, func() {})
		switch {
		case last == nil:
			t.Errorf("%q: no end", command)
		case want != "" && (last.Error == nil || last.Error.Code != want):
			t.Errorf("%q: %+v", command, last)
		case want == "" && (last.ExitCode == nil || *last.ExitCode != 7 || out != "exit\n"):
			t.Errorf("%q: %+v, output %q", command, last, out)
		}
		_ = s.Close()
	}
	must(t, w.client.ExecDetached(ctx, "web", api.ExecSpec{Command: []string{"true"}}))
	wantCode(t, "detached", w.client.ExecDetached(ctx, "web", api.ExecSpec{Command: []string{"missing"}}), api.CodeNotFound)
}

func FuzzControl(f *testing.F) {
	f.Add([]byte(`{"resize":{"width":80,"height":24}}`))
	f.Add([]byte(`{"signal":"TERM"}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, msg []byte) {
		if _, err := parseControl(msg); err != nil && api.CodeOf(err) != api.CodeInvalid {
			t.Error(err)
		}
		if _, err := parseCreate(msg); err != nil && api.CodeOf(err) != api.CodeInvalid {
			t.Error(err)
		}
		if spec, err := parseSpec(msg); err == nil && len(spec.Command) == 0 {
			t.Error("a spec without a command passed")
		}
	})
}

// After a kill of the daemon, the phase that is stored may be older than the life
// that goes on: nobody is told so.
func TestPhaseOfBeforeIsNotTheAnswer(t *testing.T) {
	calls := map[string]func(ctx context.Context, w *world) error{
		"exec": func(ctx context.Context, w *world) error {
			return w.client.ExecDetached(ctx, "web", api.ExecSpec{Command: []string{"true"}})
		},
		"kill":  func(ctx context.Context, w *world) error { return w.client.Kill(ctx, "web", "SIGUSR1") },
		"pause": func(ctx context.Context, w *world) error { return w.client.Pause(ctx, "web") },
	}
	for name, call := range calls {
		w, ctx := newWorld(t, nil), t.Context()
		in, err := w.client.Create(ctx, hello("web"), true)
		must(t, err)
		phase := func(p api.Phase) {
			_, err := w.Store.Instances.Update(ctx, in.ID, func(i *api.Instance) error { i.Status.Phase = p; return nil })
			must(t, err)
		}
		phase(api.PhaseCreated)
		w.node.takeUp = func() { phase(api.PhaseRunning) }
		if err := call(ctx, w); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
