package test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// An instance that accepts and never answers costs a client nothing that asks
// for what may be repeated; it is left alone after a while, and all that is
// counted.
func TestServiceGetsAroundASilentInstance(t *testing.T) {
	d := Start(t)
	port := freePort(t)
	image := d.Busybox(t)
	d.serving(t, "deaf", "good")
	d.Must(t, "run", "-d", "--name", "silent", "--label", "app=deaf", "--stop-timeout", "0", image, "nc", "-ll", "-p", "8080", "-e", "sleep", "1000")
	d.front(t, "deaf", "--select", "app=deaf", "--port", "80:8080", "--http", "--publish", fmt.Sprint(port), "--timeout", "300ms", "--check", "tcp", "--drain", "0s",
		"--max-body", "1k")
	d.awaitUp(t, "deaf", 2)
	page := fmt.Sprintf("http://127.0.0.1:%d/", port)
	if seen := answers(t, page, 30); seen["good"] != 30 {
		t.Errorf("%v answered, want good alone", seen)
	}
	s, _ := d.service("deaf")
	if n := s.Status.Traffic.Retries; n == 0 || n > 5 {
		t.Errorf("%d tries elsewhere, want some, and at most 5 until the silent one is left alone", n)
	}
	body := func(size int) string {
		resp, err := http.Post(page, "x/y", io.MultiReader(strings.NewReader(strings.Repeat("x", size)))) // without a length
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.Status
	}
	contains(t, body(2000), "413")
	// A head that is too large, and one that takes too long.
	for what, text := range map[string]string{"431": "GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 40<<10) + "\r\n\r\n", "408": "GET / HTTP/1.1\r\nHost:"} {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(patience()))
		io.WriteString(c, text)
		b, _ := io.ReadAll(c)
		c.Close()
		if !strings.HasPrefix(string(b), "HTTP/1.1 "+what) {
			t.Errorf("%.60q, want %s", b, what)
		}
	}
	text := d.metrics(t)
	for _, want := range []string{`virga_service_requests_total{class="2xx",id="` + s.ID + `"`, `virga_service_requests_total{class="4xx",id="` + s.ID + `"`,
		`virga_service_retries_total{id="` + s.ID + `"`, `virga_service_request_seconds_bucket{id="` + s.ID + `"`} {
		contains(t, text, want)
	}
}
