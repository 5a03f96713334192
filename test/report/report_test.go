package main

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	tests := []struct {
		name string
		in   string
		ok   bool
		want []string
		not  []string
	}{
		{
			name: "all good",
			in: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"chatter\n"}
{"Action":"pass","Package":"p","Test":"TestA","Elapsed":0.1}
{"Action":"pass","Package":"p","Elapsed":0.2}
`,
			ok:   true,
			want: []string{"ok    p", "\n1 passed, 0 failed, 0 skipped\n"},
			not:  []string{"chatter"},
		},
		{
			name: "a failing subtest is shown once",
			in: `{"Action":"output","Package":"p","Test":"TestA/x","Output":"    a_test.go:3: got 1\n"}
{"Action":"fail","Package":"p","Test":"TestA/x"}
{"Action":"output","Package":"p","Test":"TestA","Output":"--- FAIL: TestA (0.00s)\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}
`,
			want: []string{"got 1", "\n0 passed, 1 failed, 0 skipped\n", "FAIL  p"},
		},
		{
			name: "a build that fails",
			in: `{"ImportPath":"p","Action":"build-output","Output":"p.go:1: undefined: x\n"}
{"ImportPath":"p","Action":"build-fail"}
{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}
{"Action":"fail","Package":"p"}
`,
			want: []string{"undefined: x", "build failed", "\n0 passed, 1 failed, 0 skipped\n"},
		},
		{
			name: "a skip for want of a feature",
			in: `{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:3: seccomp notification: not supported by this kernel\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"--- SKIP: TestA (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestB"}
`,
			ok:   true,
			want: []string{"p/TestA: a_test.go:3: seccomp notification", "\n1 passed, 0 failed, 1 skipped\n"},
		},
		{
			name: "a skip for another reason",
			in: `{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:3: not today\n"}
{"Action":"skip","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestB"}
`,
			want: []string{"may skip only on"},
		},
		{
			name: "no test at all",
			in:   "",
			want: []string{"\n0 passed, 0 failed, 0 skipped\n"},
		},
		{
			name: "a process that died in a test",
			in: `{"Action":"output","Package":"p","Test":"TestA","Output":"panic: boom\n"}
{"Action":"fail","Package":"p"}
`,
			want: []string{"panic: boom", "DIED p/TestA"},
		},
		{
			name: "what is no event goes through",
			in: "go: downloading x\n" + `{"Action":"pass","Package":"p","Test":"TestA"}
`,
			ok:   true,
			want: []string{"go: downloading x\n"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			ok, err := report(strings.NewReader(tt.in), &out)
			if err != nil {
				t.Fatal(err)
			}
			if ok != tt.ok {
				t.Errorf("ok = %v, want %v", ok, tt.ok)
			}
			for _, w := range tt.want {
				if !strings.Contains(out.String(), w) {
					t.Errorf("output lacks %q:\n%s", w, out.String())
				}
			}
			for _, n := range tt.not {
				if strings.Contains(out.String(), n) {
					t.Errorf("output has %q:\n%s", n, out.String())
				}
			}
		})
	}
}
