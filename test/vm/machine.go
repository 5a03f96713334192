package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// Machine is a virtual machine that has not been started.
type Machine struct {
	Kernel    string // paths
	Initramfs string
	Disk      string
	Console   string // where the kernel's messages go
}

// arguments are QEMU's, but for the serial lines. The emulator needs no
// support of the processor's, which a machine for tests may not have. What the
// guest writes to its disk is thrown away.
func (m Machine) arguments(kernel string) []string {
	return []string{
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "qemu64,+rdrand", "-smp", "2", "-m", "1024",
		"-kernel", m.Kernel, "-initrd", m.Initramfs,
		"-append", "console=ttyS0 panic=-1 softlockup_panic=1 watchdog_thresh=60 nokaslr mitigations=off " + kernel,
		"-drive", "file=" + m.Disk + ",format=raw,if=virtio,cache=unsafe,snapshot=on",
	}
}

// Run runs the machine until it powers itself off or ctx ends, and gives what
// its second serial line says to read.
func (m Machine) Run(ctx context.Context, read func(io.Reader) error) error {
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", append(m.arguments("quiet"),
		"-serial", "file:"+m.Console,
		"-chardev", "stdio,id=results,signal=off", "-serial", "chardev:results")...)
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = 10 * time.Second
	results, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the machine: %w", err)
	}
	failed := read(results) // an error has what was said so far
	if failed != nil {
		cmd.Process.Kill()
	}
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return errors.Join(fmt.Errorf("the machine did not end: %w", context.Cause(ctx)), failed)
	case failed != nil:
		return failed
	case err != nil:
		return fmt.Errorf("the machine ended with: %w", err)
	}
	return nil
}

// Interact runs the machine with its console on the terminal.
func (m Machine) Interact(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", append(m.arguments("loglevel=4"),
		"-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console", "-serial", "null")...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}
