// Command virga-shim is the supervisor of a node's instances, and the init
// process of those that ask for one.
package main

import (
	"os"

	"github.com/virga-cloud/virga/internal/shim/supervisor"
)

func main() { os.Exit(supervisor.Main(os.Args)) }
