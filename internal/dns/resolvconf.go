package dns

import (
	"fmt"
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
	text    string           // +checklocks:mu; the servers'
	looked  time.Time        // +checklocks:mu; at the file
}

// lookEvery is how often the file is looked at, at most.
const lookEvery = 100 * time.Millisecond

// list are the name servers, and what tells them from others.
func (r *resolvConf) list() ([]netip.AddrPort, string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); now.Sub(r.looked) >= lookEvery {
		r.looked = now
		r.read()
	}
	return r.servers, r.text
}

// +checklocks:r.mu
func (r *resolvConf) read() {
	st, err := os.Stat(r.path)
	if err != nil || st.ModTime().Equal(r.changed) {
		return
	}
	b, err := os.ReadFile(r.path)
	if err != nil {
		return
	}
	r.changed, r.servers = st.ModTime(), nameservers(string(b))
	r.text = fmt.Sprint(r.servers)
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
