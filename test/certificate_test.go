package test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A certificate that is given is shown, and another one takes its place
// without touching the connections there are.
func TestServiceShowsAGivenCertificate(t *testing.T) {
	d := Start(t)
	port, dir := freePort(t), t.TempDir()
	given := func(name string) (cert, key string, roots *x509.CertPool) {
		c, k := selfSigned(t, "given.example")
		cert, key = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
		for path, b := range map[string][]byte{cert: c, key: k} {
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		roots = x509.NewCertPool()
		roots.AppendCertsFromPEM(c)
		return cert, key, roots
	}
	cert, key, first := given("first")
	d.serving(t, "given", "g1")
	d.front(t, "given", "--select", "app=given", "--port", "443:8080", "--tls", "--publish", fmt.Sprint(port), "--cert", cert, "--key", key)
	d.awaitUp(t, "given", 1)
	c, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port), &tls.Config{ServerName: "given.example", RootCAs: first})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	ask := func(when string) {
		t.Helper()
		c.SetDeadline(time.Now().Add(patience()))
		fmt.Fprint(c, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		io.Copy(io.Discard, resp.Body)
		equal(t, when, resp.Status, "200 OK")
	}
	ask("with the first certificate")
	cert, key, second := given("second")
	d.Must(t, "service", "update", "given", "--cert", cert, "--key", key)
	eventually(t, "the second certificate is shown", func() (bool, string) {
		_, err := shown(port, "given.example", second)
		return err == nil, fmt.Sprint(err)
	})
	if _, err := shown(port, "given.example", first); err == nil {
		t.Error("the first certificate is still shown")
	}
	ask("over the connection from before")
	s := d.Must(t, "service", "inspect", "given")
	contains(t, s, "BEGIN CERTIFICATE")
	if strings.Contains(s, "PRIVATE KEY") {
		t.Error("inspect shows the key")
	}
}
