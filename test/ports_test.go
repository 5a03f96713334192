package test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

// nextPort is where freePort looks next: runs at one time begin at places of
// their own.
var nextPort = os.Getpid() * 61

// freePort returns a port that no program has, of TCP and UDP in both families,
// and that no other call returns. It is below those that the kernel gives to
// outgoing connections and to who asks for any: so nobody takes it by chance
// before the test does.
func freePort(t *testing.T) int {
	t.Helper()
	const lowest = 10000
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		t.Fatal(err)
	}
	var highest int
	if _, err := fmt.Sscan(string(text), &highest); err != nil || highest <= lowest {
		t.Fatalf("no ports from %d to those of outgoing connections: %q, %v", lowest, text, err)
	}
	for range highest - lowest {
		nextPort++
		port := lowest + nextPort%(highest-lowest)
		l, err := net.Listen("tcp", fmt.Sprint(":", port))
		if err != nil {
			continue
		}
		l.Close()
		if p, err := net.ListenPacket("udp", fmt.Sprint(":", port)); err == nil {
			p.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

// get fetches a page, with a new connection each time.
func get(url string) (string, error) {
	c := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

// eventuallyGet waits until a page has a text.
func eventuallyGet(t *testing.T, url, text string) {
	t.Helper()
	eventually(t, url+" answers "+text, func() (bool, string) {
		body, err := get(url)
		return err == nil && strings.Contains(body, text), fmt.Sprint(body, err)
	})
}

func TestPublishedPort(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	port := freePort(t)
	d.Must(t, "run", "-d", "--name", "web", "-p", fmt.Sprintf("%d:8000", port), image, "httpd", "-f", "-p", "8000", "-h", "/var/www")
	in := d.WaitPhase(t, "web", api.PhaseRunning)
	eventuallyGet(t, fmt.Sprintf("http://127.0.0.1:%d/", port), "hello from busybox")
	eventuallyGet(t, fmt.Sprintf("http://%s:8000/", in.Status.Addresses[0].Address), "hello from busybox")
	contains(t, d.Must(t, "ps"), fmt.Sprint(port))
	contains(t, d.Must(t, "port", "web"), fmt.Sprint(port))

	msg := d.Refused(t, "run", "-d", "--name", "second", "-p", fmt.Sprintf("%d:80", port), image, "sleep", "1000")
	contains(t, msg, fmt.Sprint(port))

	// From another instance: by address, by name, and through the node's port.
	gw := in.Status.Addresses[0].Gateway
	equal(t, "by name", d.Must(t, "run", "--rm", image, "wget", "-qO-", "http://web:8000/"), "hello from busybox")
	equal(t, "through the node", d.Must(t, "run", "--rm", image, "wget", "-qO-", fmt.Sprintf("http://%s:%d/", gw, port)), "hello from busybox")

	d.Must(t, "rm", "-f", "web")
	eventually(t, "the port is closed", func() (bool, string) {
		body, err := get(fmt.Sprintf("http://127.0.0.1:%d/", port))
		return err != nil, body
	})
}

// A connection to a published port, and one between instances, go on while the
// daemon is killed and started again; so do new ones.
func TestConnectionsOutliveTheDaemon(t *testing.T) {
	d := Start(t)
	port := freePort(t)
	d.Must(t, "run", "-d", "--name", "web", "-p", fmt.Sprintf("%d:8080", port), "virga/hello", "serve")
	in := d.WaitPhase(t, "web", api.PhaseRunning)
	eventuallyGet(t, fmt.Sprintf("http://127.0.0.1:%d/health", port), "ok")
	var asks []func(when string)
	for _, at := range []string{fmt.Sprintf("127.0.0.1:%d", port), fmt.Sprintf("%s:%d", in.Status.Addresses[0].Gateway, port),
		fmt.Sprintf("[%s]:%d", in.Status.Addresses[0].Gateway6, port)} {
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		r := bufio.NewReader(c)
		asks = append(asks, func(when string) {
			t.Helper()
			c.SetDeadline(time.Now().Add(patience()))
			fmt.Fprint(c, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatalf("%s, %s: %v", at, when, err)
			}
			io.Copy(io.Discard, resp.Body)
		})
	}
	check := func(when string) {
		t.Helper()
		for _, ask := range asks {
			ask(when)
		}
		eventuallyGet(t, fmt.Sprintf("http://127.0.0.1:%d/health", port), "ok")
	}
	check("with the daemon")
	d.Kill9(t)
	check("without it")
	d.Restart(t)
	d.WaitPhase(t, "web", api.PhaseRunning)
	check("after its restart")
}

func TestPortChosenByTheNode(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.Must(t, "run", "-d", "--name", "web", "-p", "127.0.0.1::8000", image, "httpd", "-f", "-p", "8000", "-h", "/var/www")
	in := d.WaitPhase(t, "web", api.PhaseRunning)
	if len(in.Status.Ports) != 1 || in.Status.Ports[0].HostPort == 0 {
		t.Fatalf("ports: %+v", in.Status.Ports)
	}
	eventuallyGet(t, fmt.Sprintf("http://127.0.0.1:%d/", in.Status.Ports[0].HostPort), "hello from busybox")
}

func TestPublishedUDPPort(t *testing.T) {
	d := Start(t)
	image := d.Debian(t)
	port := freePort(t)
	d.Must(t, "run", "-d", "--name", "echo", "-p", fmt.Sprintf("%d:7000/udp", port), image, "perl", "-MIO::Socket::INET", "-e",
		`$s = IO::Socket::INET->new(LocalPort => 7000, Proto => "udp") or die; $s->send("got $m") while defined $s->recv($m, 64)`)
	eventually(t, "an answer by UDP", func() (bool, string) {
		c, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return false, err.Error()
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(2 * time.Second))
		fmt.Fprintln(c, "ping")
		buf := make([]byte, 64)
		n, err := c.Read(buf)
		return strings.HasPrefix(string(buf[:n]), "got ping"), fmt.Sprintf("%q %v", buf[:n], err)
	})
}

// An instance reaches what listens on the node, by the way every packet to the
// world takes.
func TestOutgoingConnection(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "the node") })}
	go srv.Serve(l)
	defer srv.Close()
	d.Must(t, "run", "-d", "--name", "client", image, "sleep", "1000")
	in := d.WaitPhase(t, "client", api.PhaseRunning)
	url := fmt.Sprintf("http://%s:%d/", in.Status.Addresses[0].Gateway, l.Addr().(*net.TCPAddr).Port)
	equal(t, "answer", d.Must(t, "exec", "client", "wget", "-qO-", url), "the node")
}

func TestHostNetwork(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	port := freePort(t)
	d.Must(t, "run", "-d", "--name", "web", "--network", "host", image, "httpd", "-f", "-p", fmt.Sprint(port), "-h", "/var/www")
	eventuallyGet(t, fmt.Sprintf("http://127.0.0.1:%d/", port), "hello from busybox")
}
