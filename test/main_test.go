package test

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// node is the daemon of the run, started by the first test that asks for it.
var node *Daemon

func TestMain(m *testing.M) {
	flag.Parse()
	status := m.Run()
	if node != nil {
		if err := node.shutDown(); err != nil {
			fmt.Println("stop the daemon:", err)
			status = 1
		}
		if left := node.settled(); len(left) > 0 {
			fmt.Println("left on the machine after the daemon stopped:")
			for _, l := range left {
				fmt.Println("  ", l)
			}
			status = 1
		}
		if status == 0 {
			os.RemoveAll(node.Dir)
		} else {
			fmt.Println("the daemon's directory is kept:", node.Dir)
		}
	}
	os.Exit(status)
}
