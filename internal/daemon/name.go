package daemon

import (
	"fmt"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/virga-cloud/virga/api"
)

// nodeName is the name that instances are bound to: the one asked for, or else
// the one the data directory remembers, or else the host's at the first start.
// A host that is renamed keeps its instances.
func nodeName(dataDir, asked string) (string, error) {
	path := filepath.Join(dataDir, "node")
	b, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return "", fmt.Errorf("read node name: %w", err)
	}
	known := strings.TrimSpace(string(b))
	if known != "" && (asked == "" || asked == known) {
		return known, nil
	}
	if known != "" {
		return "", api.Errorf(api.CodeConflict, "node: the data directory belongs to node %q, not %q", known, asked).
			WithHint("its instances are bound to that name: leave node out, or use another data-dir")
	}
	name := asked
	if name == "" {
		host, err := os.Hostname()
		if err != nil {
			return "", err
		}
		name = label(host)
	}
	return name, os.WriteFile(path, []byte(name+"\n"), 0o644)
}

// label makes a host's name a DNS label.
func label(host string) string {
	host, _, _ = strings.Cut(strings.ToLower(host), ".")
	l := strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, host), "-")
	if l == "" {
		return "node"
	}
	return strings.TrimRight(l[:min(len(l), 63)], "-")
}

// groupID is the number of a group, 0 when there is no such group.
func groupID(name string) int {
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0
	}
	id, err := strconv.Atoi(g.Gid)
	if err != nil {
		return 0
	}
	return id
}

// nodeLabels are those that the node's configuration gives it, and those that
// every node has.
func nodeLabels(name string, given map[string]string) map[string]string {
	all := map[string]string{
		api.NodeLabelName: name, api.NodeLabelRole: "manager", api.NodeLabelOS: "linux", api.NodeLabelArch: runtime.GOARCH,
	}
	maps.Copy(all, given)
	return all
}
