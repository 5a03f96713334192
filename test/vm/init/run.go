package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"

	"github.com/virga-cloud/virga/test/vm/plan"
)

// run sets the system up and runs the programs of the plan, or a shell on the
// console when there is none.
func run() error {
	if err := setUp(); err != nil {
		return err
	}
	b, err := os.ReadFile(plan.Path)
	if os.IsNotExist(err) {
		return shell()
	}
	if err != nil {
		return err
	}
	var programs []plan.Program
	if err := json.Unmarshal(b, &programs); err != nil {
		return fmt.Errorf("read %s: %w", plan.Path, err)
	}
	// The line must carry bytes as they are.
	if err := command("stty -F /dev/ttyS1 raw -echo"); err != nil {
		return err
	}
	line, err := os.OpenFile("/dev/ttyS1", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	defer line.Close()
	for _, p := range programs {
		fmt.Println("init: run", p.Name)
		fmt.Fprintf(line, "\n%s%s\n", plan.Begin, p.Name)
		fmt.Fprintf(line, "\n%s%s %d\n", plan.End, p.Name, one(p, line))
	}
	fmt.Fprintf(line, "\n%s\n", plan.Done)
	return command("stty -F /dev/ttyS1 raw -echo") // which waits until all is sent
}

// one runs a program to its end and returns its exit code.
func one(p plan.Program, output *os.File) int {
	if err := os.MkdirAll(p.Dir, 0o755); err != nil {
		fmt.Fprintln(output, "init:", err)
		return -1
	}
	cmd := exec.Command(p.Args[0], p.Args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.Dir, output, output
	cmd.Env = slices.Concat(environment, p.Env)
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		fmt.Fprintln(output, "init:", err)
		return -1
	}
	return cmd.ProcessState.ExitCode()
}

// shell gives the console to a person; the machine ends with the shell.
func shell() error {
	console, err := os.OpenFile("/dev/ttyS0", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer console.Close()
	cmd := exec.Command("/bin/sh", "-l")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = console, console, console
	cmd.Dir, cmd.Env = "/tests", append(environment, "TERM=vt100", "PS1=guest:\\w# ", "VIRGA_BIN=/bin/virga", "VIRGA_SHIM=/bin/virga-shim")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	return cmd.Run()
}
