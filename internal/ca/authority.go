package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	rootLife = 10 * 365 * 24 * time.Hour
	leafLife = 7 * 24 * time.Hour
	// backdate allows for clients whose clocks are behind.
	backdate = time.Hour
	// maxLeaves bounds what is remembered.
	maxLeaves = 1024
)

// Authority signs certificates. Its methods may be called concurrently.
type Authority struct {
	root *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte

	mu     sync.Mutex
	leaves map[string]*tls.Certificate // +checklocks:mu; by their names
}

// Open reads the authority kept in dir, or makes it there.
func Open(dir string) (*Authority, error) {
	path := filepath.Join(dir, "ca.pem")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		b, err = create(dir, path)
	}
	if err != nil {
		return nil, fmt.Errorf("open certificate authority: %w", err)
	}
	pair, err := tls.X509KeyPair(b, b)
	if err != nil {
		return nil, fmt.Errorf("read certificate authority %s: %w", path, err)
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("read certificate authority %s: its key is not one of virga's", path)
	}
	return &Authority{
		root: pair.Leaf, key: key, leaves: map[string]*tls.Certificate{},
		pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Leaf.Raw}),
	}, nil
}

// create makes a root and stores it with its key, whole or not at all.
func create(dir, path string) ([]byte, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	host, _ := os.Hostname() // only a name for people
	der, err := x509.CreateCertificate(rand.Reader, root(now, host), root(now, host), key.Public(), key)
	if err != nil {
		return nil, err
	}
	k, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	b := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: k})...)
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		return nil, err
	}
	return b, os.Rename(path+".new", path)
}

func root(now time.Time, host string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: strings.TrimSpace("virga CA " + host)},
		NotBefore: now.Add(-backdate).Truncate(time.Second), NotAfter: now.Add(rootLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
}

// Signer is the root's key, for signatures of what this node says, with the
// certificate that lets others check them.
func (a *Authority) Signer() (crypto.Signer, *x509.Certificate) { return a.key, a.root }

// PEM is the root's certificate.
func (a *Authority) PEM() []byte { return slices.Clone(a.pem) }

// Certificate is a certificate for names and addresses, made anew when the one
// there is has lived for half its life.
func (a *Authority) Certificate(now time.Time, names []string, addrs []netip.Addr) (*tls.Certificate, error) {
	key := fmt.Sprint(names, addrs)
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.leaves[key]; c != nil && now.Before(c.Leaf.NotAfter.Add(-leafLife/2)) {
		return c, nil
	}
	c, err := a.sign(now, names, addrs)
	if err != nil {
		return nil, fmt.Errorf("sign certificate for %v: %w", names, err)
	}
	if len(a.leaves) >= maxLeaves {
		clear(a.leaves)
	}
	a.leaves[key] = c
	return c, nil
}

func (a *Authority) sign(now time.Time, names []string, addrs []netip.Addr) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	leaf := &x509.Certificate{
		SerialNumber: serial, DNSNames: names,
		NotBefore: now.Add(-backdate), NotAfter: now.Add(leafLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if len(names) > 0 && len(names[0]) <= 64 {
		leaf.Subject.CommonName = names[0]
	}
	for _, ip := range addrs {
		leaf.IPAddresses = append(leaf.IPAddresses, ip.AsSlice())
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, a.root, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: parsed}, nil
}
