// Command virgad is virga's daemon. virga server unpacks and executes it.
package main

import (
	"os"

	"github.com/virga-cloud/virga/internal/daemon"
)

func main() {
	os.Exit(daemon.Main(os.Args[1:], os.Stdout, os.Stderr))
}
