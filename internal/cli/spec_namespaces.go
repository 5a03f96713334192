package cli

import (
	"github.com/spf13/pflag"
	"github.com/virga-cloud/virga/api"
)

// namespaceFlags are those by which Docker shares namespaces. An instance has
// its own, so they take only the values that say so.
type namespaceFlags struct{ pid, ipc, uts, cgroup string }

func (n *namespaceFlags) register(f *pflag.FlagSet) {
	for name, to := range map[string]*string{"pid": &n.pid, "ipc": &n.ipc, "uts": &n.uts, "cgroupns": &n.cgroup} {
		f.StringVar(to, name, "", "private: an instance has its own")
		_ = f.MarkHidden(name)
	}
}

func (n *namespaceFlags) check() error {
	for _, c := range []struct{ flag, value, what, hint string }{
		{"pid", n.pid, "process ids", "`virga top` shows its processes to the node; what watches the whole node runs outside of virga"},
		{"ipc", n.ipc, "shared memory", "instances share files by a volume; --shm-size sets the size of /dev/shm"},
		{"uts", n.uts, "host name", "--hostname sets it"},
		{"cgroupns", n.cgroup, "view of control groups", "leave it out"},
	} {
		switch {
		case c.value == "", c.value == "private", c.flag == "ipc" && c.value == "shareable":
		default:
			return api.Errorf(api.CodeNotSupported, "--%s %s: every instance has its own %s", c.flag, c.value, c.what).WithHint("%s", c.hint)
		}
	}
	return nil
}
