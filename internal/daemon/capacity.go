package daemon

import (
	"os"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/config"
	"github.com/virga-cloud/virga/internal/control"
	"github.com/virga-cloud/virga/internal/control/catalogue"
	"github.com/virga-cloud/virga/internal/linux/host"
)

// loadTypes reads the operator's file of types and prices, where there is one.
func loadTypes(path string) (catalogue.File, error) {
	if path == "" {
		return catalogue.File{Rates: catalogue.DefaultRates()}, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return catalogue.File{}, api.Errorf(api.CodeInvalid, "file of types: %v", err).WithHint("name a file that exists with types-file, or leave it out")
	}
	defer f.Close()
	file, err := catalogue.Parse(path, f)
	for i := range file.Types {
		file.Types[i].Origin = api.OriginFile
	}
	return file, err
}

// supply is what the node gives to instances.
func supply(node string, has api.Capacity, c config.Config) control.Supply {
	return control.Supply{Node: node, Capacity: has, Overcommit: c.Overcommit, DiskOvercommit: c.DiskOvercommit, ThreadsPerCore: host.ThreadsPerCore()}
}
