package proc

import (
	"context"
	"errors"
	"os/exec"
	"testing"
)

func TestWait(t *testing.T) {
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Wait(ended, cmd.Process.Pid); !errors.Is(err, context.Canceled) {
		t.Errorf("while it runs: %v", err)
	}
	_ = cmd.Process.Kill()
	if err := Wait(t.Context(), cmd.Process.Pid); err != nil {
		t.Errorf("of a process that was killed: %v", err)
	}
	_ = cmd.Wait()
	if err := Wait(t.Context(), cmd.Process.Pid); err != nil {
		t.Errorf("of one that is no more: %v", err)
	}
}
