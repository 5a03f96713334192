package test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

// eventually waits for a condition; what says what was awaited and state, when
// it does not come true, what was there instead.
func eventually(t *testing.T, what string, cond func() (ok bool, state string)) {
	t.Helper()
	var state string
	for deadline := time.Now().Add(patience()); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		var ok bool
		if ok, state = cond(); ok {
			return
		}
	}
	t.Fatalf("waited in vain for: %s\nthere is: %s", what, state)
}

// Inspect returns an instance as the API has it.
func (d *Daemon) Inspect(t *testing.T, name string) api.Instance {
	t.Helper()
	in, err := d.inspect(name)
	if err != "" {
		t.Fatal(err)
	}
	return in
}

func (d *Daemon) inspect(name string) (in api.Instance, problem string) {
	r := d.CLI("inspect", name)
	if r.Code != 0 {
		return in, "inspect " + name + ": " + r.String()
	}
	// inspect prints a list, as docker does, or one object for one name.
	text := strings.TrimSpace(r.Stdout)
	if strings.HasPrefix(text, "[") {
		var list []api.Instance
		if err := json.Unmarshal([]byte(text), &list); err != nil || len(list) != 1 {
			return in, "inspect " + name + ": " + text
		}
		return list[0], ""
	}
	if err := json.Unmarshal([]byte(text), &in); err != nil {
		return in, "inspect " + name + ": " + err.Error() + "\n" + text
	}
	return in, ""
}

// WaitPhase waits until an instance is in a phase and returns it.
func (d *Daemon) WaitPhase(t *testing.T, name string, phase api.Phase) api.Instance {
	t.Helper()
	return d.WaitFor(t, name, "phase "+string(phase), func(in api.Instance) bool { return in.Status.Phase == phase })
}

// WaitFor waits until an instance satisfies a condition and returns it.
func (d *Daemon) WaitFor(t *testing.T, name, what string, cond func(api.Instance) bool) api.Instance {
	t.Helper()
	var in api.Instance
	eventually(t, name+": "+what, func() (bool, string) {
		var problem string
		if in, problem = d.inspect(name); problem != "" {
			return false, problem
		}
		b, err := json.MarshalIndent(in.Status, "", "  ")
		if err != nil {
			return false, err.Error()
		}
		return cond(in), string(b)
	})
	return in
}

// exitCode returns the code an instance ended with, -1 while there is none.
func exitCode(in api.Instance) int {
	if in.Status.ExitCode == nil {
		return -1
	}
	return *in.Status.ExitCode
}

// oneMessage checks that a failed command printed one error of one to three
// lines (message, hint) and nothing that looks like a crash.
func oneMessage(t *testing.T, r Result) string {
	t.Helper()
	msg := strings.TrimSpace(r.Stderr)
	lines := strings.Split(msg, "\n")
	if msg == "" || len(lines) > 3 || strings.Contains(msg, "goroutine ") || strings.Contains(msg, "panic:") {
		t.Errorf("want one clear error, have: %v", r)
	}
	return msg
}

// contains fails the test when text lacks any of the parts.
func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("lacks %q: %s", p, text)
		}
	}
}

// equal fails the test when two texts differ.
// must ends a test whose own preparations fail.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}
