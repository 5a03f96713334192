package shim

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/virga-cloud/virga/internal/logs"
)

// TestDaemon is not a test: it is the daemon that TestKilledClient kills. It
// starts a process and waits for its end.
func TestDaemon(t *testing.T) {
	dir := os.Getenv("SHIM_TEST_DIR")
	if dir == "" {
		return
	}
	c, err := Ensure(t.Context(), Config{Dir: dir, Binary: os.Getenv("SHIM_TEST_BINARY"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	start := script(t, "a", "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; while [ ! -e "+dir+"/go ]; do sleep 0.01; done; echo last; exit 9")
	start.Log, start.LogSize, start.LogFiles = filepath.Join(dir, "log"), 20<<10, 50
	if _, err := c.Start(t.Context(), start, nil); err != nil {
		t.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(c.Info().PID); err != nil {
		t.Fatal(err)
	}
	<-c.Exits()
}

// A client that is killed takes nothing with it: the process goes on, its exit
// status and all of its output are there for the next client.
func TestKilledClient(t *testing.T) {
	c, cfg := supervisor(t)
	daemon := exec.Command(os.Args[0], "-test.run=^TestDaemon$")
	daemon.Env = append(os.Environ(), "SHIM_TEST_DIR="+cfg.Dir, "SHIM_TEST_BINARY="+binary)
	out, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != fmt.Sprint(c.Info().PID) {
		t.Errorf("daemon said %q, %v", line, err)
	}
	_ = daemon.Process.Kill()
	_ = daemon.Wait()
	if err := os.WriteFile(filepath.Join(cfg.Dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if p := exit(t, c, "a"); syscall.WaitStatus(p.Status).ExitStatus() != 9 {
		t.Errorf("got %+v", p)
	}
	// One who comes later hears of it too.
	late, err := Ensure(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	if p := exit(t, late, "a"); syscall.WaitStatus(p.Status).ExitStatus() != 9 {
		t.Errorf("got %+v", p)
	}
	r, err := logs.Open(filepath.Join(cfg.Dir, "log"), logs.Options{Tail: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for n := 0; ; n++ {
		rec, err := r.Next(t.Context())
		if err == io.EOF {
			if n != 3001 {
				t.Errorf("%d lines", n)
			}
			return
		}
		want := fmt.Sprint("line ", n)
		if n == 3000 {
			want = "last"
		}
		if err != nil || string(rec.Text) != want {
			t.Fatalf("line %d: %q, %v", n, rec.Text, err)
		}
	}
}

// Neither the daemon's signals nor its terminal's end the supervisor.
func TestSupervisorOutlivesSignals(t *testing.T) {
	c, _ := supervisor(t)
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT, syscall.SIGPIPE} {
		if err := syscall.Kill(c.Info().PID, sig); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.List(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestSupervisorIsReplacedOnlyWhenIdle(t *testing.T) {
	c, cfg := supervisor(t)
	if _, err := c.Start(t.Context(), script(t, "a", "exec sleep 1000"), nil); err != nil {
		t.Fatal(err)
	}
	body, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	other := cfg
	other.Binary = filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other.Binary, append(body, 0), 0o700); err != nil {
		t.Fatal(err)
	}
	busy, err := Ensure(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	if busy.Info().PID != c.Info().PID {
		t.Error("a supervisor with a process was replaced")
	}
	if err := c.Stop(t.Context()); err != ErrRunning {
		t.Errorf("stop: %v", err)
	}
	if err := c.Kill(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	exit(t, c, "a")
	if err := c.ForgetAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	idle, err := Ensure(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	if idle.Info().PID == c.Info().PID {
		t.Error("an idle supervisor of another build was kept")
	}
}

// A figure for docs/shim.md: what 200 processes cost the supervisor.
func TestMemory(t *testing.T) {
	c, cfg := supervisor(t)
	const n = 200
	took := make([]time.Duration, 0, n)
	for i := range n {
		start := script(t, fmt.Sprint(i), "exec sleep 1000")
		start.Log = filepath.Join(cfg.Dir, fmt.Sprint(i, ".log"))
		began := time.Now()
		if _, err := c.Start(t.Context(), start, nil); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	smaps, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", c.Info().PID))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(smaps)) {
		var kb int
		if _, err := fmt.Sscanf(line, "Pss: %d kB", &kb); err == nil {
			slices.Sort(took)
			t.Logf("%d processes: PSS %d kB, %d kB each; a start took %v, at best %v", n, kb, kb/n, took[n/2], took[0])
			if kb/n > 100 {
				t.Errorf("the supervisor takes %d kB for a process, want at most 100", kb/n)
			}
		}
	}
}
