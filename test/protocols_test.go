package test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// programImage makes an image of nothing but a program of this directory.
func (d *Daemon) programImage(t *testing.T, name string) string {
	t.Helper()
	d.importMissing(t, name, func() []byte {
		path := filepath.Join(t.TempDir(), name)
		build := exec.Command("go", "build", "-o", path, "./"+name)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", name, err, out)
		}
		program, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		a := newArchive(t)
		for _, dir := range []string{"dev", "etc", "proc", "sys"} {
			a.dir(dir, 0o755)
		}
		a.dir("tmp", 0o1777)
		a.file(name, 0o755, string(program))
		return a.bytes()
	})
	return name
}

// curl runs curl and returns what it printed.
func curl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("curl", append([]string{"-sS", "--max-time", fmt.Sprint(int(patience().Seconds()))}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("curl %q: %v: %s", args, err, out)
	}
	return string(out)
}

// Every protocol that a service speaks, by clients that others wrote.
func TestProtocolsOfAnHTTPService(t *testing.T) {
	d := Start(t)
	plain, secure := freePort(t), freePort(t)
	d.serving(t, "web", "w1")
	d.front(t, "web", "--select", "app=web", "--port", "80:8080/http", "--port", "secure=443:8080/https",
		"--publish", fmt.Sprintf("%d:80", plain), "--publish", fmt.Sprintf("%d:443", secure))
	d.awaitUp(t, "web", 1)
	at := fmt.Sprintf("127.0.0.1:%d", plain)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	write(t, ca, d.Must(t, "service", "ca"))
	for _, c := range []struct{ version, url, flags string }{
		{"1.1", "http://" + at, "--http1.1"},
		{"1.1", "http://" + at, "--http1.0 -H Connection:close"},
		{"2", "http://" + at, "--http2-prior-knowledge"},
		{"1.1", fmt.Sprintf("https://localhost:%d", secure), "--http1.1 --cacert " + ca},
		{"2", fmt.Sprintf("https://localhost:%d", secure), "--http2 --cacert " + ca},
	} {
		args := append(strings.Fields(c.flags), "-o", "/dev/null", "-w", "%{http_code} %{http_version}", c.url+"/health")
		if got := curl(t, args...); got != "200 "+c.version {
			t.Errorf("curl %q: %s, want 200 by %s", args, got, c.version)
		}
		// Events arrive one by one: the first does not wait for the last, as there is none.
		events := exec.CommandContext(t.Context(), "curl", append(append([]string{"-sSN"}, strings.Fields(c.flags)...), c.url+"/events")...)
		out, err := events.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := events.Start(); err != nil {
			t.Fatal(err)
		}
		var b [5]byte
		if n, err := io.ReadFull(out, b[:]); err != nil || string(b[:n]) != "data:" {
			t.Errorf("events by %s: %q, %v", c.flags, b[:n], err)
		}
		events.Process.Kill()
		events.Wait()
	}
	ws, _, err := websocket.Dial(t.Context(), "ws://"+at+"/echo", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	for i := range 3 {
		want := fmt.Sprint("message ", i)
		if err := ws.Write(t.Context(), websocket.MessageText, []byte(want)); err != nil {
			t.Fatal(err)
		}
		if _, got, err := ws.Read(t.Context()); err != nil || string(got) != want {
			t.Fatalf("echo %q, %v; want %q", got, err, want)
		}
	}
}

// gRPC by its own client, over a service with and without TLS: questions, a
// stream, and an error that comes as one.
func TestGRPCThroughAService(t *testing.T) {
	d := Start(t)
	plain, secure := freePort(t), freePort(t)
	image := d.programImage(t, "grpcd")
	for _, name := range []string{"g1", "g2"} {
		d.Must(t, "run", "-d", "--name", name, "--label", "app=grpc", image, "/grpcd")
	}
	d.front(t, "grpc", "--select", "app=grpc", "--port", "80:8080/http", "--port", "secure=443:8080/https",
		"--publish", fmt.Sprintf("%d:80", plain), "--publish", fmt.Sprintf("%d:443", secure), "--drain", "0s")
	d.awaitUp(t, "grpc", 2)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	write(t, ca, d.Must(t, "service", "ca"))
	trusted, err := credentials.NewClientTLSFromFile(ca, "localhost")
	if err != nil {
		t.Fatal(err)
	}
	for at, creds := range map[string]credentials.TransportCredentials{
		fmt.Sprintf("127.0.0.1:%d", plain): insecure.NewCredentials(), fmt.Sprintf("127.0.0.1:%d", secure): trusted,
	} {
		c, err := grpc.NewClient(at, grpc.WithTransportCredentials(creds))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		health := grpc_health_v1.NewHealthClient(c)
		for range 10 {
			r, err := health.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}, grpc.WaitForReady(true))
			if err != nil || r.Status != grpc_health_v1.HealthCheckResponse_SERVING {
				t.Fatalf("%s: %v, %v", at, r, err)
			}
		}
		if _, err := health.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: "none"}); status.Code(err) != codes.NotFound {
			t.Errorf("%s: an unknown service: %v, want NotFound", at, err)
		}
		stream, err := health.Watch(t.Context(), &grpc_health_v1.HealthCheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if r, err := stream.Recv(); err != nil || r.Status != grpc_health_v1.HealthCheckResponse_SERVING {
			t.Errorf("%s: the stream's first answer: %v, %v", at, r, err)
		}
	}
}
