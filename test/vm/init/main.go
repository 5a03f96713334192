// Command init is process 1 of the virtual machine that tests run in. It sets
// up a small system on the machine's disk, runs the programs of the plan, says
// on the second serial line how they went, and powers the machine off.
//
// It is three processes in a row: in the initramfs it loads the modules and
// becomes, on the disk, one that only reaps; the child of that one, "run",
// does the work.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

func main() {
	var err error
	switch {
	case len(os.Args) > 1 && os.Args[1] == "run":
		err = run()
	case len(os.Args) > 1 && os.Args[1] == "reap":
		err = reap()
		powerOff(err)
	default:
		err = enterDisk()
		powerOff(err)
	}
	if err != nil {
		fmt.Println("init:", err)
		os.Exit(1)
	}
}

// reap starts the child that works and waits for every process that has lost
// its parent, until that child ends.
func reap() error {
	cmd := exec.Command("/init", "run")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if pid == cmd.Process.Pid {
			return nil
		}
		if err != nil && err != syscall.EINTR {
			return fmt.Errorf("wait: %w", err)
		}
	}
}

// powerOff ends the machine; process 1 may not return.
func powerOff(err error) {
	if err != nil {
		fmt.Println("init:", err)
	}
	syscall.Sync()
	err = syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
	fmt.Println("init: power off:", err)
	select {}
}
