package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// event is one line of go test -json (go doc test2json).
type event struct {
	Action     string
	Package    string
	ImportPath string // of build-output and build-fail
	Test       string
	Elapsed    float64
	Output     string
}

// run collects the events of a run. Only the output of tests that have not
// ended is held in memory.
type run struct {
	w        io.Writer
	passed   int
	failed   []failure
	skipped  []skip
	broken   bool // a package failed without a failing test: build, panic, time-out
	counts   map[string]int
	output   map[string]*bytes.Buffer // package or package/test
	children map[string]bool          // tests that have subtests: not counted themselves
}

type failure struct{ name, output string }
type skip struct{ name, reason string }

func newRun(w io.Writer) *run {
	return &run{w: w, counts: map[string]int{}, output: map[string]*bytes.Buffer{}, children: map[string]bool{}}
}

// line takes one line; what is no event goes through as it is.
func (r *run) line(line []byte) {
	var e event
	if err := json.Unmarshal(line, &e); err != nil || e.Action == "" {
		r.w.Write(line)
		return
	}
	switch {
	case strings.HasPrefix(e.Action, "build-"):
		r.build(e)
	case e.Test == "":
		r.pkg(e)
	default:
		r.test(e)
	}
}

// build shows what the compiler said.
func (r *run) build(e event) {
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.w, e.Output)
	case "build-fail":
		r.broken = true
	}
}

// pkg takes an event of a whole package.
func (r *run) pkg(e event) {
	switch e.Action {
	case "output":
		r.buffer(e.Package).WriteString(e.Output)
	case "pass":
		fmt.Fprintf(r.w, "ok    %-60s %6.1fs  %d tests\n", short(e.Package), e.Elapsed, r.counts[e.Package])
		delete(r.output, e.Package)
	case "fail":
		fmt.Fprintf(r.w, "FAIL  %-60s %6.1fs\n", short(e.Package), e.Elapsed)
		if !r.failedIn(e.Package) {
			r.broken = true
			r.failed = append(r.failed, failure{short(e.Package), r.take(e.Package)})
		}
	}
}

// test takes an event of one test.
func (r *run) test(e event) {
	name := e.Package + "/" + e.Test
	if i := strings.LastIndexByte(e.Test, '/'); i >= 0 {
		r.children[e.Package+"/"+e.Test[:i]] = true
	}
	switch e.Action {
	case "output":
		r.buffer(name).WriteString(e.Output)
	case "pass":
		r.take(name)
		if !r.children[name] {
			r.passed++
			r.counts[e.Package]++
		}
	case "skip":
		r.skipped = append(r.skipped, skip{short(name), reason(r.take(name))})
	case "fail":
		out := r.take(name)
		if r.children[name] && !hasMessage(out) {
			return // its subtests say it all
		}
		f := failure{short(name), out}
		r.failed = append(r.failed, f)
		fmt.Fprintf(r.w, "\n--- FAIL %s (%.1fs)\n%s\n", f.name, e.Elapsed, f.output)
	}
}

func (r *run) buffer(name string) *bytes.Buffer {
	b := r.output[name]
	if b == nil {
		b = &bytes.Buffer{}
		r.output[name] = b
	}
	return b
}

func (r *run) take(name string) string {
	b := r.output[name]
	delete(r.output, name)
	if b == nil {
		return ""
	}
	return b.String()
}

func (r *run) failedIn(pkg string) bool {
	for _, f := range r.failed {
		if strings.HasPrefix(f.name, short(pkg)+"/") {
			return true
		}
	}
	return false
}
