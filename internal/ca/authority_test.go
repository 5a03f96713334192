package ca

import (
	"crypto/x509"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestLeavesAreTrustedByWhoTrustsTheRoot(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	a, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	names, addrs := []string{"web", "web.default.virga.internal"}, []netip.Addr{netip.MustParseAddr("10.0.0.9")}
	first, err := a.Certificate(now, names, addrs)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := a.Certificate(now.Add(leafLife/4), names, addrs); again != first {
		t.Error("a young certificate was replaced")
	}
	if later, _ := a.Certificate(now.Add(leafLife*3/4), names, addrs); later == first {
		t.Error("an old certificate was not replaced")
	}
	// Opened again it is the same authority.
	b, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b.PEM()) {
		t.Fatal("the root is no certificate")
	}
	for _, name := range append(names, "10.0.0.9") {
		if _, err := first.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: pool}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := first.Leaf.Verify(x509.VerifyOptions{DNSName: "other", Roots: pool}); err == nil {
		t.Error("the certificate is good for another name")
	}
	info, err := os.Stat(filepath.Join(dir, "ca.pem"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", info.Mode(), err)
	}
}

func TestADamagedAuthorityIsNotReplaced(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil {
		t.Fatal("a new authority took the place of one that clients may trust")
	}
}
