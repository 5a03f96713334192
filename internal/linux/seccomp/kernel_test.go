package seccomp

import (
	"errors"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/internal/linux/launch"
)

// confined runs a program with the default filter and then a step.
func confined(t testing.TB, step func(b *launch.Builder)) (time.Duration, error) {
	t.Helper()
	var c Cache
	f, err := c.Filter(Default, nil)
	if err != nil {
		t.Fatal(err)
	}
	b := launch.NewBuilder()
	b.Syscall("no new privileges", unix.SYS_PRCTL, launch.Int(unix.PR_SET_NO_NEW_PRIVS), launch.Int(1))
	f.Install(b)
	step(b)
	p, err := b.Program()
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	fd := int(null.Fd())
	began := time.Now()
	pid, err := launch.Run(p, []int{fd, fd, fd})
	took := time.Since(began)
	if err == nil {
		var ws syscall.WaitStatus
		if _, err := syscall.Wait4(pid, &ws, 0, nil); err != nil || ws != 0 {
			t.Errorf("status %x, %v", ws, err)
		}
	}
	return took, err
}

func TestKernelTakesTheDefaultFilter(t *testing.T) {
	if _, err := confined(t, func(b *launch.Builder) {
		b.Exec([]string{"/bin/true"}, []string{"true"}, nil)
	}); err != nil {
		t.Error(err)
	}
	_, err := confined(t, func(b *launch.Builder) {
		b.Syscall("unshare", unix.SYS_UNSHARE, launch.Int(unix.CLONE_NEWUSER))
	})
	if e, ok := errors.AsType[*launch.Error](err); !ok || e.Name != "unshare" || !errors.Is(err, syscall.EPERM) {
		t.Errorf("unshare: %v", err)
	}
}

func BenchmarkLoad(b *testing.B) {
	var with, bare []time.Duration
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	fd := int(null.Fd())
	pb := launch.NewBuilder()
	pb.Syscall("exit", unix.SYS_EXIT_GROUP)
	p, err := pb.Program()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		took, err := confined(b, func(b *launch.Builder) { b.Syscall("exit", unix.SYS_EXIT_GROUP) })
		if err != nil {
			b.Fatal(err)
		}
		with = append(with, took)
		began := time.Now()
		pid, err := launch.Run(p, []int{fd, fd, fd})
		bare = append(bare, time.Since(began))
		if err != nil {
			b.Fatal(err)
		}
		_, _ = syscall.Wait4(pid, nil, 0, nil)
	}
	slices.Sort(with)
	slices.Sort(bare)
	mid := len(with) / 2
	b.ReportMetric(float64((with[mid] - bare[mid]).Microseconds()), "load-µs")
	b.ReportMetric(float64((with[0] - bare[0]).Microseconds()), "load-best-µs")
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		if _, err := compileProfile("", nil); err != nil {
			b.Fatal(err)
		}
	}
}
