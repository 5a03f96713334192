// Command shell boots the virtual machine of the tests with a shell on this
// terminal, to look at a fault by hand: virga is in /bin, and the test
// binaries of the packages named as arguments are in /tests. The machine ends
// with the shell.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"

	"github.com/virga-cloud/virga/test/vm"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "shell:", err)
		os.Exit(1)
	}
}

// run is called in the module's directory.
func run(ctx context.Context, packages []string) error {
	module, err := os.Getwd()
	if err != nil {
		return err
	}
	kernel, err := vm.FindKernel(ctx, module)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "virga-vm-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	var suites []vm.Suite
	for _, p := range packages {
		suites = append(suites, vm.Suite{Package: p})
	}
	m, err := vm.Build(ctx, module, work, kernel, suites, true)
	if err != nil {
		return err
	}
	// The guest's terminal does the editing and takes the signals.
	defer stty("sane")
	stty("raw", "-echo")
	return m.Interact(ctx)
}

// stty does nothing when the input is no terminal.
func stty(args ...string) {
	cmd := exec.Command("stty", args...)
	cmd.Stdin = os.Stdin
	_ = cmd.Run()
}
