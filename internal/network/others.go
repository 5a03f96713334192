package network

import (
	"slices"
	"strings"
)

// getBy lets what virga forwards get by Docker's firewall, where that would drop
// it, by the chain that Docker leaves to others.
func (f *Fabric) getBy() {
	changed, err := f.pass.Keep()
	switch {
	case err != nil:
		f.config.Log.Error("instances may be held up by Docker's firewall", "err", err)
	case changed:
		f.config.Log.Info("rules in Docker's chain for others are as needed", "chain", "DOCKER-USER")
	}
}

// warnOfDroppers says, once for each, when another program's firewall drops what
// is forwarded and has no chain for others, and what to do: its tables are its
// own, and virga does not touch them.
func (f *Fabric) warnOfDroppers() {
	chains, err := f.table.Droppers(func(table string) bool {
		return table == f.config.Table || strings.HasPrefix(table, f.config.Table+"-")
	})
	if err != nil {
		f.config.Log.Warn("other firewalls are not known", "err", err)
		return
	}
	f.mu.Lock()
	told := f.droppers
	f.droppers = chains
	f.mu.Unlock()
	for _, c := range chains {
		if slices.Contains(told, c) {
			continue
		}
		program, _, _ := strings.Cut(c, " ")
		if !strings.HasSuffix(program, "-legacy") {
			program = "iptables"
		}
		f.config.Log.Warn("another firewall drops forwarded packets by default: instances reach others only where it allows them",
			"chain", c, "remedy", "allow the bridges there, such as: "+program+" -I FORWARD -i "+f.config.Prefix+"+ -j ACCEPT; "+program+" -I FORWARD -o "+f.config.Prefix+"+ -j ACCEPT")
	}
}
