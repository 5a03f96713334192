package balancer

import (
	"net"
	"net/netip"
	"syscall"

	"github.com/virga-cloud/virga/internal/linux/nft"
)

// redirect adds to the plan's fronts the ports of doors that listen elsewhere.
//
// +checklocks:c.applying
func (c *Controller) redirect(p plan) {
	for at, d := range c.doors {
		a, ok := d.listener.Addr().(*net.TCPAddr)
		if !d.moved || !ok {
			continue
		}
		for i := range p.fronts {
			if f := &p.fronts[i]; f.Addr == at.addr || f.Addr6 == at.addr {
				f.Balanced = append(f.Balanced, nft.Balanced{
					Protocol: syscall.IPPROTO_TCP, At: netip.AddrPortFrom(at.addr, at.port),
					Targets: []nft.Target{{To: netip.AddrPortFrom(at.addr, uint16(a.Port)), Weight: 1}},
				})
			}
		}
	}
}
