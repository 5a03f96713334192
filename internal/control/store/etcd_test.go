package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

const (
	childDir  = "VIRGA_TEST_STORE"      // directory a child opens
	childDisk = "VIRGA_TEST_STORE_DISK" // the child mounts a small file system there
)

// TestMain is also the child that the tests kill.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		os.Exit(child(dir))
	}
	os.Exit(m.Run())
}

// child opens the store and creates instances until it is killed, saying which
// are stored.
func child(dir string) int {
	if disk := os.Getenv(childDisk); disk != "" {
		if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
			fmt.Println("mount", err)
			return 1
		}
		if err := syscall.Mount("virga-test", disk, "tmpfs", 0, "size=192m"); err != nil {
			fmt.Println("mount", err)
			return 1
		}
	}
	s, err := Open(context.Background(), dir, slog.New(slog.DiscardHandler))
	if err != nil {
		fmt.Println("open", err)
		return 1
	}
	if os.Getenv(childDisk) != "" {
		return fill(s)
	}
	for n := range 10000 {
		i := instance(fmt.Sprint("i", n), fmt.Sprint("n", n))
		if err := s.Instances.Create(context.Background(), i); err != nil {
			fmt.Println("create", err)
			return 1
		}
		fmt.Println("stored", i.ID)
	}
	return 0
}

// fill fills the disk and expects to be told so, that what is there can be
// removed nevertheless, and to go on afterwards.
func fill(s *Store) int {
	ctx := context.Background()
	if err := s.Instances.Create(ctx, instance("early", "early")); err != nil {
		fmt.Println(err)
		return 1
	}
	for n := range 500 {
		if err := s.Instances.Create(ctx, instance(fmt.Sprint("i", n), fmt.Sprint("n", n))); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	hog := filepath.Join(os.Getenv(childDisk), "hog")
	f, err := os.Create(hog)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	takeAll(f)
	full := s.Instances.Create(ctx, instance("full", "full"))
	removed := s.Instances.Delete(ctx, "early")
	// What was stored goes from the log to etcd's file when not a byte is left.
	takeAll(f)
	e := s.backend.(*etcd)
	moved := make(chan struct{})
	go func() { // etcd ends the goroutine that meets a fault
		e.server.KV().Commit()
		close(moved)
	}()
	select {
	case <-moved:
	case <-e.broken.Done():
		fmt.Println("broken:", context.Cause(e.broken))
		return 1
	}
	_ = f.Close()
	_ = os.Remove(hog)
	free := s.Instances.Create(ctx, instance("free", "free"))
	fmt.Printf("full: %s %v\nremoved: %v\nfree: %v\n", api.CodeOf(full), full, removed, free)
	if api.CodeOf(full) != api.CodeInsufficientCapacity || removed != nil || free != nil || s.Close() != nil {
		return 1
	}
	return 0
}

// takeAll writes to f until the disk takes no further byte.
func takeAll(f *os.File) {
	for size := 1 << 20; size > 0; size /= 16 {
		for block, err := make([]byte, size), error(nil); err == nil; {
			_, err = f.Write(block)
		}
	}
}

func startChild(t *testing.T, env ...string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	return cmd, bufio.NewScanner(out)
}

func TestKilledFirstStartIsRepaired(t *testing.T) {
	runs := 20
	if testing.Short() {
		runs = 5
	}
	for range runs {
		dir := filepath.Join(t.TempDir(), "store")
		cmd, lines := startChild(t, childDir+"="+dir)
		kill := time.AfterFunc(time.Duration(rand.Int64N(int64(400*time.Millisecond))), func() { _ = cmd.Process.Kill() })
		var stored []string
		for lines.Scan() {
			id, ok := strings.CutPrefix(lines.Text(), "stored ")
			if !ok {
				t.Error(lines.Text())
			}
			stored = append(stored, id)
		}
		_ = cmd.Wait()
		kill.Stop()
		s := openTest(t, dir)
		for _, id := range stored {
			if _, err := s.Instances.ByID(id); err != nil {
				t.Errorf("stored and lost: %v", err)
			}
		}
		t.Logf("%d stored", len(stored))
		must(t, s.Instances.Create(t.Context(), instance("after", "after")))
		must(t, s.Close())
	}
}

func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting a small file system needs root")
	}
	disk := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+filepath.Join(disk, "store"), childDisk+"="+disk)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// A daemon that is told to end while its store starts does not call the files
// unusable, and leaves them to the next.
func TestEndWhileStarting(t *testing.T) {
	dir := t.TempDir()
	must(t, openTest(t, dir).Close())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s, err := Open(ctx, dir, slog.New(slog.DiscardHandler))
	if err == nil {
		must(t, s.Close()) // it was quicker
	} else if !errors.Is(err, context.Canceled) {
		t.Errorf("open: %v", err)
	}
	must(t, openTest(t, dir).Close())
}

func TestUnusableDirectories(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	t.Run("in use", func(t *testing.T) {
		dir := t.TempDir()
		s := openTest(t, dir)
		defer s.Close()
		if _, err := Open(t.Context(), dir, quiet); api.CodeOf(err) != api.CodeConflict {
			t.Errorf("second open: %v", err)
		}
	})
	t.Run("foreign", func(t *testing.T) {
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, "thesis.txt"), []byte("years of work"), 0o600))
		if _, err := Open(t.Context(), dir, quiet); api.CodeOf(err) != api.CodeInvalid {
			t.Errorf("open: %v", err)
		}
		if _, err := os.Stat(filepath.Join(dir, "thesis.txt")); err != nil {
			t.Error(err)
		}
	})
	for _, damage := range []string{"wal", "db"} {
		t.Run("damaged "+damage, func(t *testing.T) {
			dir := t.TempDir()
			s := openTest(t, dir)
			must(t, s.Instances.Create(t.Context(), instance("i1", "one")))
			must(t, s.Close())
			spoil(t, dir, damage)
			_, err := Open(t.Context(), dir, quiet)
			if api.CodeOf(err) != api.CodeUnavailable {
				t.Fatalf("open: %v", err)
			}
			t.Log(err)
		})
	}
}

func TestLostDatabaseIsMadeFromTheLog(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	must(t, s.Instances.Create(t.Context(), instance("i1", "one")))
	must(t, s.Close())
	must(t, os.RemoveAll(filepath.Join(dir, "member", "snap")))
	s = openTest(t, dir)
	defer s.Close()
	if _, err := s.Instances.ByID("i1"); err != nil {
		t.Error(err)
	}
}

func spoil(t *testing.T, dir, what string) {
	t.Helper()
	member := filepath.Join(dir, "member")
	switch what {
	case "db":
		must(t, os.WriteFile(filepath.Join(member, "snap", "db"), []byte(strings.Repeat("no database ", 4000)), 0o600))
	case "wal":
		logs, err := filepath.Glob(filepath.Join(member, "wal", "*.wal"))
		must(t, err)
		for _, l := range logs {
			must(t, os.WriteFile(l, []byte(strings.Repeat("no log ", 4000)), 0o600))
		}
	}
}

func BenchmarkCreate(b *testing.B) {
	s := openTest(b, b.TempDir())
	defer s.Close()
	n := 0
	for b.Loop() {
		n++
		must(b, s.Instances.Create(b.Context(), instance(fmt.Sprint("i", n), fmt.Sprint("n", n))))
	}
}

func BenchmarkOpen(b *testing.B) {
	for b.Loop() {
		s := openTest(b, b.TempDir())
		b.StopTimer()
		must(b, s.Close())
		b.StartTimer()
	}
}

// What deletes alone is let through when other changes are not: it may be what
// sets space free.
func TestDeletionNeedsLeastRoom(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting a small file system needs root")
	}
	disk := t.TempDir()
	must(t, syscall.Mount("virga-test", disk, "tmpfs", 0, "size=3m"))
	t.Cleanup(func() { must(t, syscall.Unmount(disk, 0)) })
	lock, err := os.Open(disk)
	must(t, err)
	defer lock.Close()
	r := &reserve{dir: &dataDir{path: disk, lock: lock}}
	put, del := op{key: "k", value: []byte("v"), when: 7}, op{key: "k", when: 7}
	must(t, r.room([]op{del}))
	for _, ops := range [][]op{{put}, {del, put}, {{key: "k", value: []byte("v"), when: absent}}} {
		if err := r.room(ops); api.CodeOf(err) != api.CodeInsufficientCapacity {
			t.Errorf("%+v: %v", ops, err)
		}
	}
}
