package network

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

// TestMonitorTakesTheFile hands a TAP to a real monitor, by nothing but its open
// files. The guest is the boot loader of QEMU's network card: it asks for an
// address, and then for a file at the gateway.
func TestMonitorTakesTheFile(t *testing.T) {
	f := newFabric(t, Config{Subnet: dual().Spec.Subnet, Networks: []api.Network{dual()}})
	vm := attach(t, f, machine("vm"))
	tap := vm.Sandbox.Taps[0]
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", "-accel", "tcg", "-m", "64", "-nodefaults", "-no-reboot", "-nographic", "-serial", "stdio",
		"-boot", "n", "-netdev", "tap,id=net,fd=3", "-device", "virtio-net-pci,netdev=net,mac="+tap.MAC.String())
	cmd.ExtraFiles = []*os.File{tap.Queues[0]}
	var said console
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cancel()
		cmd.Wait()
	}()
	// From here on the monitor alone has it.
	if err := vm.Close(); err != nil {
		t.Fatal(err)
	}
	a := vm.Addresses[0]
	want := a.Address.String() + "/255.255.0.0 gw " + a.Gateway.String()
	defer func() {
		if t.Failed() {
			t.Logf("the guest's console:\n%s", said.String())
		}
	}()
	// An emulated machine boots as slowly as this one is busy.
	for deadline := time.Now().Add(6 * patience); !strings.Contains(said.String(), want); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the guest has no address")
		}
	}
	if n := taps(t, f)["idvm"]; n != 1 {
		t.Errorf("%d TAPs are listed as the instance's", n)
	}
	cancel()
	cmd.Wait()
	eventually(t, "the TAP is gone", func() bool { return len(tapNames(t, f)) == 0 })
}

// console collects what a guest says.
type console struct {
	mu sync.Mutex
	b  bytes.Buffer // +checklocks:mu
}

func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.b.Write(p)
}

func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.b.String()
}
