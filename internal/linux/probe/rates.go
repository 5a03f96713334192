package probe

import (
	"net"

	"github.com/virga-cloud/virga/internal/linux/link"
	"github.com/virga-cloud/virga/internal/linux/namespace"
)

// tokenBucket holds a link to a rate, as what an instance receives is.
func tokenBucket(*probe) (string, error) {
	return "", onLink(func(c *link.Conn, index int) error { return c.Do(link.SetRate(index, 1_000_000)...) })
}

// lead leads what comes in by a link through another one, as what an instance
// sends is.
func lead(*probe) (string, error) {
	const funnel = "probe-ifb"
	return "", onLink(func(c *link.Conn, index int) error {
		if err := c.Do(link.AddFunnel(funnel)); err != nil {
			return err
		}
		l, err := c.ByName(funnel)
		if err != nil {
			return err
		}
		return c.Do(link.Lead(index, l.Index)...)
	})
}

// onLink tries something on a link in a network namespace that goes with it.
func onLink(try func(c *link.Conn, index int) error) error {
	ns, err := namespace.NewNet()
	if err != nil {
		return err
	}
	defer ns.Close()
	c, err := link.Open(ns)
	if err != nil {
		return err
	}
	defer c.Close()
	const name = "probe"
	if err := c.Do(link.AddBridge(name, 1500, net.HardwareAddr{2, 0, 0, 0, 0, 1})); err != nil {
		return err
	}
	l, err := c.ByName(name)
	if err != nil {
		return err
	}
	return try(c, l.Index)
}
