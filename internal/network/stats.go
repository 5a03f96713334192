package network

import (
	"context"

	"github.com/virga-cloud/virga/api"
)

// Stats adds up an instance's traffic over its networks, as the instance sees
// it: what the node's end sends, the instance receives.
func (f *Fabric) Stats(ctx context.Context, instance string) (api.NetStats, error) {
	var out api.NetStats
	f.mu.Lock()
	m := f.members[instance]
	f.mu.Unlock()
	if m == nil {
		return out, nil
	}
	dropped, err := f.guard.Dropped()
	if err != nil {
		return out, err
	}
	for _, p := range m.ports {
		for _, n := range dropped[p.outer] {
			out.Spoofed += int64(n.Packets)
		}
		if p.link == "" {
			continue
		}
		l, err := f.conn.ByName(p.link)
		if err != nil {
			return out, err
		}
		out.RxBytes += int64(l.TxBytes)
		out.RxPackets += int64(l.TxPackets)
		out.RxDropped += int64(l.TxDropped)
		out.TxBytes += int64(l.RxBytes)
		out.TxPackets += int64(l.RxPackets)
		out.TxDropped += int64(l.RxDropped)
	}
	return out, nil
}
