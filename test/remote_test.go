package test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A daemon that listens for other machines lets bearers of a token in over
// TLS, and nobody else.
func TestRemoteNeedsTLSAndAToken(t *testing.T) {
	d := Start(t)
	d.Stop(t)
	address := freeAddress(t)
	d.Flags = []string{"--listen", address, "--tls-names", "node1.example.org"}
	d.Restart(t)
	t.Cleanup(func() {
		d.Flags = nil
		d.CLI("token", "rm", "-f", "laptop")
		d.Stop(t)
		d.Restart(t)
	})
	dir := t.TempDir()
	ca, token := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "laptop.token")
	must(t, os.WriteFile(ca, []byte(d.Must(t, "service", "ca")), 0o644))
	d.Must(t, "token", "create", "laptop", "--file", token)
	if info, err := os.Stat(token); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the token's file: %v, %v", info, err)
	}

	remote := func(args ...string) Result { return elsewhere(t, "https://"+address, ca, token, args...) }
	equal(t, "version", remote("version", "--format", "{{.Server.Version}}").Stdout,
		d.CLI("version", "--format", "{{.Server.Version}}").Stdout)
	// A session upgrades the connection, with standard input and an exit code.
	r := remote("run", "--rm", "-i", d.Busybox(t), "sh", "-c", "cat; exit 7")
	equal(t, "exit code", strconv.Itoa(r.Code), "7")
	equal(t, "output", r.Stdout, "input")
	// A big body goes through, and its end is seen.
	archive := filepath.Join(dir, "a.tar")
	d.Must(t, "image", "export", "-o", archive, d.Busybox(t))
	if r := remote("image", "import", archive, "remote-import"); r.Code != 0 {
		t.Errorf("import: %v", r)
	}
	d.Must(t, "image", "rm", "remote-import")
	compose := filepath.Join(dir, "compose.yaml")
	must(t, os.WriteFile(compose, []byte("services: {one: {image: "+d.Busybox(t)+", command: sleep 1000}}\n"), 0o644))
	if r := remote("compose", "-f", compose, "-p", "faraway", "up", "-d"); r.Code != 0 {
		t.Errorf("compose up: %v", r)
	}
	if r := remote("compose", "-p", "faraway", "down"); r.Code != 0 {
		t.Errorf("compose down: %v", r)
	}

	// Refused: no token, a wrong one, one that others may read, no TLS, a
	// certificate that nobody vouches for.
	t.Setenv("HOME", dir)
	contains(t, oneMessage(t, elsewhere(t, "https://"+address, ca, "", "ps")), "no token")
	wrong := filepath.Join(dir, "wrong.token")
	must(t, os.WriteFile(wrong, []byte("virga-00"), 0o600))
	contains(t, oneMessage(t, elsewhere(t, "https://"+address, ca, wrong, "ps")), "unknown or was removed")
	contains(t, oneMessage(t, elsewhere(t, "https://"+address, "", token, "ps")), "signed by nobody")
	contains(t, oneMessage(t, elsewhere(t, "http://"+address, ca, token, "ps")), "not served over http")
	must(t, os.Chmod(token, 0o644))
	contains(t, oneMessage(t, remote("ps")), "others than its owner")
	must(t, os.Chmod(token, 0o600))
	for _, call := range []string{"/v1/instances", "/v1/openapi.json", "/metrics", "/v1/tokens"} {
		if status := askTLS(t, ca, address, call); status != http.StatusForbidden {
			t.Errorf("without a token, %s answers %d", call, status)
		}
	}
	conn, err := net.Dial("tcp", address)
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(patience())))
	_, err = conn.Write([]byte("GET /v1/instances HTTP/1.1\r\nHost: x\r\n\r\n"))
	must(t, err)
	answer := make([]byte, 1024)
	if n, _ := conn.Read(answer); bytes.Contains(answer[:n], []byte(" 200 ")) {
		t.Errorf("without TLS it answers %q", answer[:n])
	}

	// A token that is removed lets nobody in, at once.
	d.Must(t, "token", "rm", "laptop")
	contains(t, oneMessage(t, remote("ps")), "unknown or was removed")
}

// What is wrong with the listener's settings is said at the start.
func TestRemoteSettingsAreChecked(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer taken.Close()
	dir := t.TempDir()
	for want, flags := range map[string][]string{
		"of no use without listen": {"--tls-names", "x"},
		"go together":              {"--listen", "127.0.0.1:1", "--tls-cert", "x"},
		"want an address and":      {"--listen", "7443"},
		"is taken":                 {"--listen", taken.Addr().String()},
		"no such file":             {"--listen", "127.0.0.1:0", "--tls-cert", "/nowhere", "--tls-key", "/nowhere"},
	} {
		args := append([]string{"server", "--data-dir", filepath.Join(dir, "data"), "--run-dir", filepath.Join(dir, "run")}, flags...)
		ctx, cancel := context.WithTimeout(t.Context(), patience())
		out, err := exec.CommandContext(ctx, binary(), args...).CombinedOutput()
		cancel()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%v: %v, %s, want %q", flags, err, out, want)
		}
	}
	out, err := exec.Command(binary(), "server", "reset", "--data-dir", filepath.Join(dir, "data"), "--run-dir", filepath.Join(dir, "run")).CombinedOutput()
	if err != nil {
		t.Errorf("reset: %v %s", err, out)
	}
}

// elsewhere runs a command as it would run on another machine.
func elsewhere(t *testing.T, host, ca, token string, args ...string) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience())
	defer cancel()
	cmd := exec.CommandContext(ctx, binary(), args...)
	cmd.Env = append(os.Environ(), "VIRGA_SOCKET=/nowhere", "VIRGA_HOST="+host, "VIRGA_CA_FILE="+ca, "VIRGA_TOKEN_FILE="+token)
	cmd.Stdin = strings.NewReader("input")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run() // the result has the status
	return Result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// askTLS calls without a token and returns the status.
func askTLS(t *testing.T, ca, address, path string) int {
	t.Helper()
	pem, err := os.ReadFile(ca)
	must(t, err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "node1.example.org"}}
	defer transport.CloseIdleConnections()
	r, err := (&http.Client{Transport: transport, Timeout: patience()}).Get("https://" + address + path)
	must(t, err)
	defer r.Body.Close()
	return r.StatusCode
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}
