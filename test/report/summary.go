package main

import (
	"fmt"
	"strings"
)

const module = "github.com/virga-cloud/virga/"

// notSupported is in the text of every error that says that a feature is
// missing; a test may skip on such an error and on nothing else.
const notSupported = "not supported"

// finish prints the failures again, the skipped tests and the counts, and
// returns whether the run is good.
func (r *run) finish() bool {
	for name, b := range r.output {
		// A test that was still running when its process died.
		if i := strings.LastIndex(name, "/Test"); i > 0 && b.Len() > 0 && hasMessage(b.String()) {
			r.failed = append(r.failed, failure{short(name), b.String()})
			r.broken = true
			fmt.Fprintf(r.w, "\n--- DIED %s\n%s\n", short(name), b.String())
		}
	}
	bad := 0
	if len(r.skipped) > 0 {
		fmt.Fprintln(r.w, "\nSkipped:")
		for _, s := range r.skipped {
			mark := ""
			if !strings.Contains(s.reason, notSupported) {
				bad++
				mark = "   <- may skip only on a not-supported error"
			}
			fmt.Fprintf(r.w, "  %s: %s%s\n", s.name, s.reason, mark)
		}
	}
	if len(r.failed) > 0 {
		fmt.Fprintln(r.w, "\nFailed:")
		for _, f := range r.failed {
			fmt.Fprintf(r.w, "  %s\n", f.name)
			if r.broken && !strings.Contains(f.name, "/Test") {
				fmt.Fprintln(r.w, indent(f.output))
			}
		}
	}
	failed := len(r.failed)
	if r.broken && failed == 0 {
		failed = 1
	}
	fmt.Fprintf(r.w, "\n%d passed, %d failed, %d skipped\n", r.passed, failed, len(r.skipped))
	return failed == 0 && bad == 0 && r.passed > 0
}

// short is a test's or package's name without the module's.
func short(name string) string { return strings.TrimPrefix(name, module) }

// reason is what a test said when it skipped: its last line of output that is
// not the testing package's own.
func reason(output string) string {
	why := "no reason given"
	for line := range strings.Lines(output) {
		if t := strings.TrimSpace(line); t != "" && !frame(t) {
			why = t
		}
	}
	return why
}

// hasMessage reports whether a test said anything itself.
func hasMessage(output string) bool {
	for line := range strings.Lines(output) {
		if t := strings.TrimSpace(line); t != "" && !frame(t) {
			return true
		}
	}
	return false
}

// frame reports whether a line is the testing package's own.
func frame(line string) bool {
	return strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ")
}

func indent(s string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n    ")
}
