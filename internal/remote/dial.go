package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/virga-cloud/virga/api"
)

// dialTimeout bounds the connection and the handshake.
const dialTimeout = 15 * time.Second

// Dial connects to the daemon at address, HOST:PORT, and checks its
// certificate by those in caFile, or by the system's when that is "".
func Dial(ctx context.Context, address, caFile string) (net.Conn, error) {
	roots, err := roots(caFile)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	d := tls.Dialer{Config: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, NextProtos: []string{"http/1.1"}}}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, explain(address, err)
	}
	return conn, nil
}

// roots reads the certificates of a file; nil are the system's.
func roots(caFile string) (*x509.CertPool, error) {
	if caFile == "" {
		return nil, nil
	}
	b, err := os.ReadFile(caFile)
	if err != nil {
		return nil, api.Invalid("ca-file", "%v", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, api.Invalid("ca-file", "%s has no certificate in PEM", caFile)
	}
	return pool, nil
}

// explain says what a failed connection means for the user.
func explain(address string, err error) error {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return api.Errorf(api.CodeForbidden, "the certificate of %s is signed by nobody that is trusted here", address).
			WithHint("copy what `virga service ca` prints on its node, and name it with --ca-file or VIRGA_CA_FILE")
	}
	if e, ok := errors.AsType[x509.HostnameError](err); ok {
		return api.Errorf(api.CodeForbidden, "the certificate of %s is for another name: %v", address, e).
			WithHint("use a name it has, or add this one with --tls-names to the daemon")
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return api.Errorf(api.CodeForbidden, "the certificate of %s is not valid: %v", address, e.Err)
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return api.Errorf(api.CodeUnavailable, "what listens at %s does not speak TLS", address).
			WithHint("check the port: it is the one of the daemon's --listen")
	}
	hint := "check the address; the daemon there has to run with --listen"
	if errors.Is(err, syscall.ECONNREFUSED) {
		return api.Errorf(api.CodeUnavailable, "no daemon listens at %s", address).WithHint("%s", hint)
	}
	return api.Errorf(api.CodeUnavailable, "connect to %s: %v", address, err).WithHint("%s", hint)
}
