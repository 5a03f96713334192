// Command report reads the output of go test -json and says what a person
// wants to know of it: one line for each package, the output of what failed,
// the tests that were skipped and why, and a last line of counts.
//
// It exits with 1 when a test or a build failed, and also when a test was
// skipped for another reason than that the kernel or the hardware lacks a
// feature: every other skip hides a test that was meant to run.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
)

func main() {
	ok, err := report(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

// report reads events from r until its end and writes what they mean to w. It
// returns whether the run is good.
func report(r io.Reader, w io.Writer) (bool, error) {
	run := newRun(w)
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			run.line(line)
		}
		if err == io.EOF {
			return run.finish(), nil
		}
		if err != nil {
			return false, err
		}
	}
}
