package supervisor

import (
	"fmt"
	"os"

	"github.com/virga-cloud/virga/internal/linux/monitor"
)

const usage = `usage: virga-shim start DIR      start a supervisor that serves DIR/shim.sock
       virga-shim init -- ARGV   run ARGV as a child of process 1, and reap
`

// Main is the whole of virga-shim and returns its exit status.
func Main(args []string) int {
	if len(args) == 3 && args[1] == "start" {
		return report(daemonize(args[0], args[2]))
	}
	if len(args) == 3 && args[1] == "supervise" {
		monitor.Calm()
		return report(supervise(args[2]))
	}
	if len(args) > 3 && args[1] == "init" && args[2] == "--" {
		return initialize(args[3:])
	}
	fmt.Fprint(os.Stderr, usage)
	return 2
}

func report(err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, "virga-shim:", err)
		return 1
	}
	return 0
}
