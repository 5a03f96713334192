package dns

import (
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"
)

// resolvConf reads the node's name servers and reads them again when the file
// has changed.
type resolvConf struct {
	path string

	mu      sync.Mutex
	changed time.Time        // +checklocks:mu
	servers []netip.AddrPort // +checklocks:mu
}

func (r *resolvConf) list() []netip.AddrPort {
	r.mu.Lock()
	defer r.mu.Unlock()
	st, err := os.Stat(r.path)
	if err != nil {
		return r.servers
	}
	if st.ModTime().Equal(r.changed) {
		return r.servers
	}
	b, err := os.ReadFile(r.path)
	if err != nil {
		return r.servers
	}
	r.changed, r.servers = st.ModTime(), nameservers(string(b))
	return r.servers
}

// nameservers are those of a resolv.conf.
func nameservers(text string) []netip.AddrPort {
	var out []netip.AddrPort
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != "nameserver" {
			continue
		}
		if a, err := netip.ParseAddr(f[1]); err == nil {
			out = append(out, netip.AddrPortFrom(a, 53))
		}
	}
	return out
}
