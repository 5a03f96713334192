package vm

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"

	"github.com/virga-cloud/virga/test/vm/plan"
)

// Result is what a program of the plan did.
type Result struct {
	Name   string
	Code   int
	Tests  []*Test // in the order they began
	Output string  // what belongs to no test
}

// Test is a test or a subtest.
type Test struct {
	Name    string // its own, without those it is in
	Action  string // pass, fail or skip; "" when it did not end
	Output  string
	Elapsed float64 // s
	Tests   []*Test
}

// event is one line of go test -json (go doc test2json).
type event struct {
	Action  string
	Test    string
	Elapsed float64
	Output  string
}

// Results reads the guest's line to its end and calls report for every
// program that has ended. A line that ends before the guest is done is an
// error.
func Results(ctx context.Context, line io.Reader, report func(Result)) error {
	return split(line, func(name string, code int, output string) error {
		r, err := parse(ctx, name, output)
		r.Code = code
		if err == nil {
			report(r)
		}
		return err
	})
}

// split cuts what the guest says into the output of the programs.
func split(line io.Reader, ended func(name string, code int, output string) error) error {
	in := bufio.NewReader(line)
	var name string
	var output strings.Builder
	for {
		text, err := in.ReadString('\n')
		if err != nil {
			return fmt.Errorf("the guest ended in %q (%w), which had said:\n%s", name, err, output.String())
		}
		mark := strings.TrimSpace(text)
		switch {
		case strings.HasPrefix(mark, plan.Begin):
			name = strings.TrimPrefix(mark, plan.Begin)
			output.Reset()
		case strings.HasPrefix(mark, plan.End):
			code, err := strconv.Atoi(strings.TrimPrefix(mark, plan.End+name+" "))
			if err != nil {
				return fmt.Errorf("the guest said %q after %q", mark, name)
			}
			if err := ended(name, code, output.String()); err != nil {
				return err
			}
			name = ""
		case mark == plan.Done:
			_, err := io.Copy(io.Discard, in)
			return err
		case name != "":
			output.WriteString(text)
		}
	}
}

// parse reads the output of a test binary, by Go's own tool for it.
func parse(ctx context.Context, name, output string) (Result, error) {
	r := Result{Name: name}
	cmd := exec.CommandContext(ctx, "go", "tool", "test2json", "-t")
	cmd.Stdin = strings.NewReader(output)
	events, err := cmd.Output()
	if err != nil {
		return r, fmt.Errorf("%s: %w", cmd, err)
	}
	root := &Test{}
	byPath := map[string]*Test{"": root}
	for line := range strings.Lines(string(events)) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			return r, fmt.Errorf("event %q: %w", line, err)
		}
		t := byPath[e.Test]
		if t == nil {
			// The name of a subtest may have slashes of its own, so what it is
			// in is the longest beginning that is a test.
			in := e.Test
			for byPath[in] == nil {
				in = in[:max(strings.LastIndexByte(in, '/'), 0)]
			}
			t = &Test{Name: strings.TrimPrefix(e.Test[len(in):], "/")}
			byPath[e.Test] = t
			byPath[in].Tests = append(byPath[in].Tests, t)
		}
		switch e.Action {
		case "output":
			t.Output += e.Output
		case "pass", "fail", "skip":
			t.Action, t.Elapsed = e.Action, e.Elapsed
		}
	}
	r.Tests, r.Output = root.Tests, root.Output
	return r, nil
}

// Reason is why a test was skipped: the last line of it that is not the
// testing package's own.
func (t *Test) Reason() string {
	why := "no reason given"
	for line := range strings.Lines(t.Output) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
			why = line
		}
	}
	return why
}
