package cli

import (
	"strings"

	"github.com/spf13/pflag"
	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

// namespaceFlags share namespaces with the node or another instance.
type namespaceFlags struct{ pid, ipc, uts, cgroup string }

func (n *namespaceFlags) register(f *pflag.FlagSet) {
	f.StringVar(&n.pid, "pid", "", "`whose` process ids it sees: host or container:INSTANCE (default its own)")
	f.StringVar(&n.ipc, "ipc", "", "`whose` shared memory it uses: host or container:INSTANCE (default its own)")
	f.StringVar(&n.uts, "uts", "", "`whose` host name it has: host (default its own)")
	f.StringVar(&n.cgroup, "cgroupns", "", "private: an instance has its own")
	_ = f.MarkHidden("cgroupns")
}

func (n *namespaceFlags) apply(s *api.Namespaces) error {
	if n.cgroup != "" && n.cgroup != api.NamespacePrivate {
		return api.Errorf(api.CodeNotSupported, "--cgroupns %s: every instance has its own view of control groups", n.cgroup).WithHint("leave it out")
	}
	if n.ipc == "none" {
		return api.Errorf(api.CodeNotSupported, "--ipc none: every instance has a /dev/shm").WithHint("leave it out: it is the instance's alone")
	}
	s.PID, s.UTS = namespaceOf(n.pid), namespaceOf(n.uts)
	if n.ipc != "shareable" { // with container: whoever is asked for is
		s.IPC = namespaceOf(n.ipc)
	}
	return nil
}

// namespaceOf has Docker's word for an instance replaced.
func namespaceOf(s string) string {
	switch name, ok := strings.CutPrefix(s, "container:"); {
	case ok:
		return api.NamespaceOf + name
	case s == api.NamespacePrivate:
		return ""
	}
	return s
}

// namespaceWords offers the node and the instances that run.
func (a *App) namespaceWords(cmd *command.Command, args []string, word string) ([]string, command.Completion) {
	words := []string{"host\tthe node's"}
	names, kind := a.completeInstances(running, -1)(cmd, args, strings.TrimPrefix(word, "container:"))
	for _, n := range names {
		words = append(words, "container:"+n)
	}
	return words, kind
}
