package cli

import (
	"fmt"
	"os"

	"github.com/spf13/pflag"
	"github.com/virga-cloud/virga/api"
)

// storageFlags describe what is mounted.
type storageFlags struct {
	volumes  []string
	from     []string // instances
	mounts   []string
	tmpfs    []string
	readOnly bool
	shmSize  string
}

func (m *storageFlags) register(f *pflag.FlagSet) {
	listVar(f, &m.volumes, "volume", "v", "mount a volume or a path of the host (`SOURCE:TARGET[:ro]`)")
	listVar(f, &m.from, "volumes-from", "", "mount what another instance has mounted (`INSTANCE[:ro]`)")
	listVar(f, &m.mounts, "mount", "", "mount with keys and values (`type=…,source=…,target=…`)")
	listVar(f, &m.tmpfs, "tmpfs", "", "mount memory, with the options size, mode, uid, gid, ro and exec (`TARGET[:size=64m,mode=1777]`)")
	f.BoolVar(&m.readOnly, "read-only", false, "mount the root file system read-only")
	f.StringVar(&m.shmSize, "shm-size", "", "`bytes` of /dev/shm (default 64m)")
}

func (m *storageFlags) apply(s *api.InstanceSpec) error {
	s.ReadOnly = m.readOnly
	var err error
	if s.ShmSize, err = api.ParseSize("spec.shmSize", m.shmSize); err != nil {
		return err
	}
	dir := ""
	if len(m.volumes)+len(m.mounts) > 0 {
		if dir, err = os.Getwd(); err != nil {
			return fmt.Errorf("working directory: %w", err)
		}
	}
	add := func(list []string, parse func(string) (api.Mount, error)) error {
		for _, text := range list {
			mount, err := parse(text)
			if err != nil {
				return err
			}
			s.Mounts = append(s.Mounts, mount)
		}
		return nil
	}
	if err := add(m.volumes, func(t string) (api.Mount, error) { return parseVolume(t, dir) }); err != nil {
		return err
	}
	if err := add(m.mounts, func(t string) (api.Mount, error) { return parseMount(t, dir) }); err != nil {
		return err
	}
	return add(m.tmpfs, parseTmpfs)
}
