package network

import (
	"github.com/virga-cloud/virga/internal/linux/nft"
)

// openGuard takes the guard against spoofing in hand: links that an earlier
// daemon guarded, and that are still there, stay guarded.
func (f *Fabric) openGuard() (*nft.Guard, error) {
	links, err := f.conn.List()
	if err != nil {
		return nil, err
	}
	there := map[int]bool{}
	for _, l := range links {
		there[l.Index] = true
	}
	return nft.OpenGuard(f.config.Table+"-guard", func(link int) bool { return there[link] })
}

// guarded is who may send by a port.
func (p port) guarded() nft.Guarded {
	return nft.Guarded{Link: p.outer, MAC: p.mac, Addrs: p.addrs()}
}

// guardPorts lets ports send as themselves only.
func (f *Fabric) guardPorts(ports []port) error {
	var links []nft.Guarded
	for _, p := range ports {
		if p.outer != 0 && p.mac != nil {
			links = append(links, p.guarded())
		}
	}
	return f.guard.Put(links...)
}

// unguard forgets ports whose links are about to go: not before they have gone,
// so that who is left behind such a link cannot pretend either.
func (f *Fabric) unguard(ports []port) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range ports {
		if p.outer != 0 {
			f.leaving = append(f.leaving, p.outer)
		}
	}
}

// sweepGuard ends the guard of links that have gone.
func (f *Fabric) sweepGuard() error {
	f.mu.Lock()
	leaving := f.leaving
	f.leaving = nil
	f.mu.Unlock()
	if len(leaving) == 0 {
		return nil
	}
	links, err := f.conn.List()
	if err != nil {
		return err
	}
	there := map[int]bool{}
	for _, l := range links {
		there[l.Index] = true
	}
	var gone, stay []int
	for _, l := range leaving {
		if there[l] {
			stay = append(stay, l)
			continue
		}
		gone = append(gone, l)
	}
	f.mu.Lock()
	f.leaving = append(f.leaving, stay...)
	f.mu.Unlock()
	return f.guard.Remove(gone...)
}
