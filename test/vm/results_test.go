package vm

import (
	"fmt"
	"strings"
	"testing"

	"github.com/virga-cloud/virga/test/vm/plan"
)

const said = "boot noise\r\n\n" + plan.Begin + "p\n" + `
` + "\x16" + `=== RUN   TestA
` + "\x16" + `=== RUN   TestA/x_/y
    a_test.go:3: wrong
` + "\x16" + `--- FAIL: TestA (0.10s)
    ` + "\x16" + `--- FAIL: TestA/x_/y (0.00s)
` + "\x16" + `=== RUN   TestB
    b_test.go:5: swap: not supported
` + "\x16" + `--- SKIP: TestB (0.00s)
` + "\x16" + `=== RUN   TestC
` + "\x16" + `--- PASS: TestC (1.50s)
` + "\x16" + `FAIL

` + plan.End + "p 1\n\n" + plan.Done + "\n"

func TestResults(t *testing.T) {
	var got strings.Builder
	err := Results(t.Context(), strings.NewReader(said), func(r Result) {
		fmt.Fprintln(&got, r.Name, r.Code)
		for _, test := range r.Tests {
			fmt.Fprintln(&got, test.Name, test.Action, test.Elapsed, len(test.Tests), test.Reason())
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "p 1\nTestA fail 0.1 1 no reason given\nTestB skip 0 0 b_test.go:5: swap: not supported\nTestC pass 1.5 0 no reason given\n"
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}

func TestResultsOfAGuestThatDied(t *testing.T) {
	cut := said[:strings.Index(said, "=== RUN   TestB")]
	err := Results(t.Context(), strings.NewReader(cut), func(r Result) { t.Errorf("unexpected: %+v", r) })
	if err == nil || !strings.Contains(err.Error(), `ended in "p"`) || !strings.Contains(err.Error(), "a_test.go:3: wrong") {
		t.Errorf("got %v", err)
	}
}

func FuzzSplit(f *testing.F) {
	f.Add(said)
	f.Fuzz(func(t *testing.T, s string) {
		split(strings.NewReader(s), func(string, int, string) error { return nil })
	})
}
