// Command virgad is virga's daemon. virga server unpacks and executes it. It
// also reads Compose files, as virga compose asks it to.
package main

import (
	"os"

	"github.com/virga-cloud/virga/internal/compose/command"
	"github.com/virga-cloud/virga/internal/daemon"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "compose" {
		os.Exit(command.Main(os.Args[2:], os.Stdout, os.Stderr))
	}
	os.Exit(daemon.Main(os.Args[1:], os.Stdout, os.Stderr))
}
