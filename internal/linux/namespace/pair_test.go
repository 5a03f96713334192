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
	if by, user := owner(t, p.Net), inode(t, p.User); by != user {
		t.Errorf("owner of the network namespace is %d, want %d", by, user)
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

func TestNewNetInBelongsToTheUserNamespace(t *testing.T) {
	requireRoot(t)
	p, err := NewPair(0x20000000)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	before := fds(t)
	net, err := NewNetIn(p.User)
	if err != nil {
		t.Fatal(err)
	}
	if by, user := owner(t, net), inode(t, p.User); by != user {
		t.Errorf("owner of the network namespace is %d, want %d", by, user)
	}
	if inode(t, net) == inode(t, p.Net) {
		t.Error("it is the pair's network namespace")
	}
	net.Close()
	if after := fds(t); after != before {
		t.Errorf("%d descriptors are open, %d were", after, before)
	}
	if _, err := NewNetIn(p.Net); err == nil {
		t.Error("a network namespace was taken for a user namespace")
	}
}

// owner is the inode of the user namespace that owns ns.
func owner(t *testing.T, ns *os.File) uint64 {
	t.Helper()
	fd, err := unix.IoctlRetInt(int(ns.Fd()), unix.NS_GET_USERNS)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "owner")
	defer f.Close()
	return inode(t, f)
}

func inode(t *testing.T, f *os.File) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

// A child whose parent was killed before it asked to die with it ends: it would
// hold the parent's files, and with them its locks, for ever.
func TestParkedChildDoesNotOutliveItsParent(t *testing.T) {
	requireRoot(t)
	pid, errno := start(&park{flags: shared | unix.CLONE_NEWUSER, user: -1, parent: int64(os.Getpid()) + 1})
	if errno != 0 {
		t.Fatal(errno)
	}
	var ws unix.WaitStatus
	if _, err := unix.Wait4(pid, &ws, unix.WALL, nil); err != nil || !ws.Exited() {
		t.Errorf("status %v, %v", ws, err)
	}
}
