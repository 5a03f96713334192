// Command virgad is virga's daemon. virga server unpacks and executes it. It
// also reads Compose files, as virga compose asks it to, and
// connects to daemons on other machines, for virga --host.
package main

import (
	"os"

	"github.com/virga-cloud/virga/internal/compose/command"
	"github.com/virga-cloud/virga/internal/daemon"
	"github.com/virga-cloud/virga/internal/remote"
)

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "compose":
			os.Exit(command.Main(os.Args[2:], os.Stdout, os.Stderr))
		case "tunnel":
			os.Exit(remote.Main(os.Args[2:]))
		}
	}
	os.Exit(daemon.Main(os.Args[1:], os.Stdout, os.Stderr))
}
