// Command virga runs a cloud on this machine. It holds the commands and the
// client only; the daemon is carried compressed and executed by `virga server`.
package main

import (
	"embed"
	"io/fs"
	"os"

	"github.com/virga-cloud/virga/internal/cli"
	_ "github.com/virga-cloud/virga/internal/cli/prime" // the runtime, for a short life
	"github.com/virga-cloud/virga/internal/version"
)

// carried holds virgad.gz in a full build.
//
//go:embed all:embed
var carried embed.FS

func main() {
	daemon, err := fs.Sub(carried, "embed")
	if err != nil {
		daemon = nil // the command works without a daemon to start
	}
	os.Exit(cli.Main(daemon, version.Version))
}
