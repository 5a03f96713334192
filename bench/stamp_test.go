package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

func TestStampPrintsTheTime(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("x86-64 machine code: not supported on " + runtime.GOARCH)
	}
	path := filepath.Join(t.TempDir(), "stamp")
	if err := os.WriteFile(path, stampProgram(), 0o755); err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	out, err := exec.Command(path).Output()
	if err != nil {
		t.Fatal(err)
	}
	got, err := readStamp(string(out))
	if err != nil {
		t.Fatal(err)
	}
	if got.Before(before.Add(-time.Second)) || got.After(time.Now().Add(time.Second)) {
		t.Errorf("stamped %v, ran at %v", got, before)
	}
}
