package proc

import (
	"os"
	"testing"
)

func TestRead(t *testing.T) {
	p, err := Read(os.Getpid(), 0)
	if err != nil || p.PID != os.Getpid() || p.PPID != os.Getppid() || p.Memory <= 0 || p.Command == "" {
		t.Errorf("%+v, %v", p, err)
	}
	if _, own := FirstID(os.Getpid()); own && os.Geteuid() == 0 {
		t.Log("the test itself runs in a user namespace")
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add("1 (a) b) S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 2 100 200 18446744073709551615")
	f.Fuzz(func(t *testing.T, s string) { _, _ = parseStat(s) })
}
