package network

import "strings"

// warnOfDroppers says when another program's firewall drops what is forwarded,
// and what to do: its tables are its own, and virga does not touch them.
func (f *Fabric) warnOfDroppers() {
	chains, err := f.table.Droppers(func(table string) bool {
		return table == f.config.Table || strings.HasPrefix(table, f.config.Table+"-")
	})
	if err != nil {
		f.config.Log.Warn("other firewalls are not known", "err", err)
		return
	}
	for _, c := range chains {
		f.config.Log.Warn("another firewall drops forwarded packets by default: instances reach others only where it allows them",
			"chain", c, "remedy", "allow the bridges there, such as: iptables -I FORWARD -i "+f.config.Prefix+"+ -j ACCEPT; iptables -I FORWARD -o "+f.config.Prefix+"+ -j ACCEPT")
	}
}
