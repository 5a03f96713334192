package cli

import (
	"io"
	"os"

	"github.com/spf13/pflag"
	"github.com/virga-cloud/virga/api"
)

// metadataFlags are what the metadata service tells the instance, and how.
type metadataFlags struct {
	mode     string
	hops     int
	tags     bool
	userData string
}

func (m *metadataFlags) register(f *pflag.FlagSet) {
	f.StringVar(&m.mode, "metadata", "", "`mode` of the metadata service: v2 needs a session's token, v1 does not, off (default v2)")
	f.IntVar(&m.hops, "metadata-hop-limit", 0, "`hops` that a token of the metadata service may travel (default 1)")
	f.BoolVar(&m.tags, "metadata-tags", true, "show the instance its labels in the metadata service")
	f.StringVar(&m.userData, "user-data", "", "`file` for the workload to read from the metadata service, - for standard input")
}

func (m *metadataFlags) apply(a *App, s *api.InstanceSpec) error {
	s.Metadata = api.MetadataOptions{Mode: api.MetadataMode(m.mode), HopLimit: m.hops, HideTags: !m.tags}
	if m.userData == "" {
		return nil
	}
	in := a.In
	if m.userData != "-" {
		file, err := os.Open(m.userData)
		if err != nil {
			return fileError("user-data", m.userData, err)
		}
		defer file.Close()
		in = file
	}
	// One byte more than is allowed, so that the daemon says what is wrong.
	b, err := io.ReadAll(io.LimitReader(in, 16<<10+1))
	if err != nil {
		return fileError("user-data", m.userData, err)
	}
	s.UserData = b
	return nil
}
