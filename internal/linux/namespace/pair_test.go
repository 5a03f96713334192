package namespace

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPairHasItsOwnNamespacesAndIDs(t *testing.T) {
	requireRoot(t)
	p, err := NewPair(0x20000000)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	if err := In(p.Net, func() error {
		l, err := os.Readlink("/proc/thread-self/ns/net")
		if err != nil {
			return err
		}
		if l == own {
			t.Errorf("network namespace of the pair is the test's own: %s", l)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if l, _ := os.Readlink("/proc/thread-self/ns/net"); l != own {
		t.Errorf("thread came back to %s, want %s", l, own)
	}
	// The owner of the network namespace is the user namespace of the pair.
	fd, err := unix.IoctlRetInt(int(p.Net.Fd()), unix.NS_GET_USERNS)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	var a, b unix.Stat_t
	if err := unix.Fstat(fd, &a); err != nil {
		t.Fatal(err)
	}
	if err := unix.Fstat(int(p.User.Fd()), &b); err != nil {
		t.Fatal(err)
	}
	if a.Ino != b.Ino {
		t.Errorf("owner of the network namespace is %d, want %d", a.Ino, b.Ino)
	}
}

func TestNewPairLeavesNothing(t *testing.T) {
	requireRoot(t)
	before := fds(t)
	for range 50 {
		p, err := NewPair(0x20000000)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if after := fds(t); after != before {
		t.Errorf("descriptors: %d before, %d after", before, after)
	}
	b, err := os.ReadFile("/proc/thread-self/children")
	if err == nil && strings.TrimSpace(string(b)) != "" {
		t.Errorf("children left: %s", b)
	}
}

func TestNewNet(t *testing.T) {
	requireRoot(t)
	ns, err := NewNet()
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	own, err := Own()
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	a, _ := ns.Stat()
	b, _ := own.Stat()
	if os.SameFile(a, b) {
		t.Error("new namespace is the thread's own")
	}
}

func BenchmarkNewPair(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("needs root")
	}
	for b.Loop() {
		p, err := NewPair(0x20000000)
		if err != nil {
			b.Fatal(err)
		}
		p.Close()
	}
}

func requireRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

func fds(t *testing.T) int {
	t.Helper()
	names, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}
