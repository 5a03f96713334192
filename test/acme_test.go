package test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// pebble is an authority that validates at ports of the test's.
type pebble struct {
	directory, root  string // URL; file of what it is trusted by
	management       string
	client           *http.Client
	tlsPort, webPort int
}

// newPebble starts the authority of tools/go.mod, whose certificates live for
// validity, and for which every name is this machine.
func newPebble(t *testing.T, validity time.Duration) *pebble {
	t.Helper()
	out, err := exec.Command("go", "tool", "-modfile=../tools/go.mod", "-n", "pebble").Output()
	if err != nil {
		t.Fatalf("the authority of the tests cannot be built: %v", err)
	}
	dir := t.TempDir()
	p := &pebble{root: filepath.Join(dir, "root.pem"), tlsPort: freePort(t), webPort: freePort(t)}
	cert, key := selfSigned(t, "localhost")
	at, manage := freePort(t), freePort(t)
	p.directory, p.management = fmt.Sprintf("https://localhost:%d/dir", at), fmt.Sprintf("https://localhost:%d", manage)
	config, _ := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": fmt.Sprintf("127.0.0.1:%d", at), "managementListenAddress": fmt.Sprintf("127.0.0.1:%d", manage),
		"certificate": p.root, "privateKey": filepath.Join(dir, "key.pem"), "httpPort": p.webPort, "tlsPort": p.tlsPort,
		"retryAfter": map[string]int{"authz": 1, "order": 1},
		"profiles":   map[string]any{"default": map[string]any{"description": "short", "validityPeriod": int(validity / time.Second)}},
	}})
	for path, b := range map[string][]byte{p.root: cert, filepath.Join(dir, "key.pem"): key, filepath.Join(dir, "config.json"): config} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(strings.TrimSpace(string(out)), "-config", filepath.Join(dir, "config.json"), "-dnsserver", everywhereHere(t))
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0", "GOTRACEBACK=single")
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			b, _ := os.ReadFile(log.Name())
			t.Logf("the authority's log:\n%s", b)
		}
		log.Close()
	})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	p.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}, Timeout: patience()}
	t.Cleanup(p.client.CloseIdleConnections)
	eventually(t, "the authority answers", func() (bool, string) {
		r, err := p.client.Get(p.directory)
		if err != nil {
			return false, err.Error()
		}
		r.Body.Close()
		return r.StatusCode == 200, r.Status
	})
	return p
}

// roots are what certificates of the authority are trusted by.
func (p *pebble) roots(t *testing.T) *x509.CertPool {
	t.Helper()
	r, err := p.client.Get(p.management + "/roots/0")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, _ := io.ReadAll(r.Body)
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		t.Fatalf("no root: %s", b)
	}
	return pool
}

func selfSigned(t *testing.T, name string) (cert, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	b, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: b})
}

// everywhereHere is a name server for which every name is 127.0.0.1, by TCP.
func everywhereHere(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go answerNames(c)
		}
	}()
	return l.Addr().String()
}

// answerNames answers the queries on one connection.
func answerNames(c net.Conn) {
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience()))
	for {
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		b := make([]byte, int(size[0])<<8|int(size[1]))
		if _, err := io.ReadFull(c, b); err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(b) != nil || len(m.Questions) != 1 {
			return
		}
		m.Response, m.Additionals = true, nil
		if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
			m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 1},
				Body: &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}}}}
		}
		out, err := m.Pack()
		if err != nil {
			return
		}
		if _, err := c.Write(append([]byte{byte(len(out) >> 8), byte(len(out))}, out...)); err != nil {
			return
		}
	}
}

// shown is the certificate that a client gets who asks for a name.
func shown(port int, name string, roots *x509.CertPool) (*x509.Certificate, error) {
	d := &net.Dialer{Timeout: 10 * time.Second}
	c, err := tls.DialWithDialer(d, "tcp", fmt.Sprintf("127.0.0.1:%d", port), &tls.Config{ServerName: name, RootCAs: roots})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0], nil
}

// A public authority makes certificates, by both of its ways to validate; they
// outlive the daemon and are renewed in time, and clients get virga's own
// until there is one.
func TestServiceHasCertificatesOfAnAuthority(t *testing.T) {
	const validity = 45 * time.Second
	d, p := Start(t), newPebble(t, validity)
	d.Stop(t)
	d.Flags = []string{"--acme-directory", p.directory, "--acme-root", p.root, "--acme-email", "admin@example.org"}
	t.Cleanup(func() {
		if d.alive() {
			d.Stop(t)
		}
		d.Flags = nil
		d.Restart(t)
	})
	d.Restart(t)
	d.serving(t, "shop", "s1")
	roots := p.roots(t)
	await := func(port int, name string, want func(*x509.Certificate) bool) (c *x509.Certificate) {
		t.Helper()
		eventually(t, "a certificate for "+name, func() (bool, string) {
			var err error
			if c, err = shown(port, name, roots); err != nil {
				s, _ := d.service("shop")
				return false, fmt.Sprint(err, s.Status.Problems)
			}
			return want(c), c.SerialNumber.String()
		})
		return c
	}
	anyone := func(*x509.Certificate) bool { return true }

	// TLS-ALPN-01: the authority comes to the service's own port.
	d.front(t, "shop", "--select", "app=shop", "--port", "443:8080", "--tls", "--publish", fmt.Sprint(p.tlsPort), "--host", "shop.example.org", "--acme")
	first := await(p.tlsPort, "shop.example.org", anyone)
	if first.NotAfter.Sub(first.NotBefore) > validity+time.Minute {
		t.Errorf("valid from %s to %s", first.NotBefore, first.NotAfter)
	}
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "shop.example.org"}}
	defer tr.CloseIdleConnections()
	req, _ := http.NewRequest("GET", fmt.Sprintf("https://127.0.0.1:%d/", p.tlsPort), nil)
	req.Host = "shop.example.org"
	resp, err := (&http.Client{Transport: tr, Timeout: patience()}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	equal(t, "status", resp.Status, "200 OK")

	// It is on disk, and renewed before it ends.
	d.Kill9(t)
	d.Restart(t)
	again := await(p.tlsPort, "shop.example.org", anyone)
	if time.Until(first.NotAfter) > validity/2 && again.SerialNumber.Cmp(first.SerialNumber) != 0 {
		t.Error("a new certificate after a restart: the one there was is not kept")
	}
	renewed := await(p.tlsPort, "shop.example.org", func(c *x509.Certificate) bool { return c.SerialNumber.Cmp(first.SerialNumber) != 0 })
	if !renewed.NotBefore.Before(first.NotAfter) {
		t.Errorf("renewed at %s, after the end at %s", renewed.NotBefore, first.NotAfter)
	}

	// HTTP-01: nobody is at the port of the other way.
	d.Must(t, "service", "rm", "shop")
	secure := freePort(t)
	d.front(t, "plain", "--select", "app=shop", "--port", "80:8080", "--http", "--publish", fmt.Sprint(p.webPort))
	d.front(t, "shop", "--select", "app=shop", "--port", "443:8080", "--tls", "--publish", fmt.Sprint(secure), "--tls-name", "web.example.org", "--acme")
	if c, err := shown(secure, "shop", nil); err == nil {
		t.Errorf("virga's own certificate is trusted by the system: %v", c.Subject)
	}
	await(secure, "web.example.org", anyone)
	if page, err := get(fmt.Sprintf("http://127.0.0.1:%d/.well-known/acme-challenge/x", p.webPort)); err != nil || !strings.Contains(page, "Hello") {
		t.Errorf("a path that is no challenge does not reach the instance: %q %v", page, err)
	}
}
