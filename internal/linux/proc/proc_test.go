package proc

import (
	"os"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
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

// The fields of proc(5), which a name of any kind stands before.
func TestParseStat(t *testing.T) {
	p, since, err := parseStat("7 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 7 8 20 0 3 0 200 4096 5 18446744073709551615")
	want := api.Process{
		PID: 7, PPID: 1, CPU: 2 * time.Second, Memory: 5 * int64(os.Getpagesize()), Command: "[a) b]",
		Name: "a) b", State: "S", Threads: 3, Virtual: 4096,
	}
	if err != nil || p != want || since != 2*time.Second {
		t.Errorf("%+v after %s, %v; want %+v", p, since, err, want)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add("1 (a) b) S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 2 100 200 18446744073709551615")
	f.Fuzz(func(t *testing.T, s string) { _, _, _ = parseStat(s) })
}
