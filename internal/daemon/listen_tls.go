package daemon

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/ca"
	"github.com/virga-cloud/virga/internal/config"
)

// listenTLS listens for bearers of tokens, or returns nil when nothing is
// configured.
func listenTLS(c config.Config, authority *ca.Authority, log *slog.Logger) (net.Listener, error) {
	if !c.Listen.IsValid() {
		return nil, nil
	}
	certificate := ownCertificate(authority, c.TLSNames)
	if c.TLSCert != "" {
		g := &givenCertificate{cert: c.TLSCert, key: c.TLSKey, log: log}
		if _, err := g.load(); err != nil {
			return nil, err
		}
		certificate = g.choose
	}
	l, err := net.Listen("tcp", c.Listen.String())
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, api.Errorf(api.CodeConflict, "listen: %s is taken", c.Listen).InField("listen").
			WithHint("choose another port, or find its user with `ss -ltnp`")
	}
	if err != nil {
		return nil, api.Errorf(api.CodeInvalid, "listen: %v", err).InField("listen").
			WithHint("name an address of this machine, or 0.0.0.0 for all of them")
	}
	return tls.NewListener(l, &tls.Config{
		MinVersion: tls.VersionTLS12, GetCertificate: certificate,
		NextProtos: []string{"http/1.1"}, // sessions upgrade the connection
	}), nil
}

// ownCertificate chooses one of the node's own authority for this host's
// names and the address that the client has reached.
func ownCertificate(authority *ca.Authority, further []string) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	names := append([]string{}, further...)
	if host, err := os.Hostname(); err == nil {
		names = append(names, host)
	}
	names = append(names, "localhost")
	return func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		addrs := []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
		if a, err := netip.ParseAddrPort(hello.Conn.LocalAddr().String()); err == nil {
			if reached := a.Addr().Unmap().WithZone(""); !reached.IsLoopback() {
				addrs = append(addrs, reached)
			}
		}
		return authority.Certificate(time.Now(), names, addrs)
	}
}

// givenCertificate is the operator's, read again when its file changes.
type givenCertificate struct {
	cert, key string // paths
	log       *slog.Logger

	mu      sync.Mutex
	pair    *tls.Certificate // +checklocks:mu
	changed time.Time        // +checklocks:mu of the file that pair is from
}

// choose is the certificate there is now. One that was replaced by something
// that cannot be read stays in use.
func (g *givenCertificate) choose(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	pair, err := g.load()
	if err != nil {
		g.log.Error("certificate not renewed", "error", err)
	}
	if pair == nil {
		return nil, err
	}
	return pair, nil
}

// load returns the last certificate that could be read, and why a newer one
// could not.
func (g *givenCertificate) load() (*tls.Certificate, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	info, err := os.Stat(g.cert)
	if err != nil {
		return g.pair, badCertificate(err)
	}
	if g.pair != nil && info.ModTime().Equal(g.changed) {
		return g.pair, nil
	}
	pair, err := tls.LoadX509KeyPair(g.cert, g.key)
	if err != nil {
		return g.pair, badCertificate(fmt.Errorf("%s, %s: %w", g.cert, g.key, err))
	}
	g.pair, g.changed = &pair, info.ModTime()
	return g.pair, nil
}

func badCertificate(err error) error {
	return api.Errorf(api.CodeInvalid, "tls-cert: %v", err).InField("tls-cert").
		WithHint("give a certificate and its key in PEM, or leave both out for a certificate of virga's own CA")
}
