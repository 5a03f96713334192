package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/virga-cloud/virga/api/ws"
)

// serve runs a handler on a unix socket and returns a client of it, and the
// number of connections that were made.
func serve(t *testing.T, h http.HandlerFunc) (*Client, *atomic.Int32) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var conns atomic.Int32
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: h, ConnState: func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}}}
	s.Start()
	c := Dial("unix://" + socket)
	t.Cleanup(func() {
		_ = c.Close()
		s.Close()
	})
	return c, &conns
}

func TestClientKeepsItsConnection(t *testing.T) {
	c, conns := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RequestURI() != "/v1/instances/a%2Fb?project=p" && r.Method != "POST" {
			t.Errorf("asked for %s", r.URL.RequestURI())
		}
		switch r.Method {
		case "GET":
			_ = json.NewEncoder(w).Encode(Instance{Meta: Meta{Name: "web"}})
		case "POST":
			w.WriteHeader(http.StatusNoContent)
		}
	})
	c.Project = "p"
	for range 3 {
		i, err := c.Instance(t.Context(), "a/b")
		if err != nil || i.Name != "web" {
			t.Fatalf("Instance = %+v, %v", i, err)
		}
		if err := c.Start(t.Context(), "web"); err != nil {
			t.Fatal(err)
		}
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

func TestClientRepeatsReadsOnAClosedConnection(t *testing.T) {
	c, conns := serve(t, func(w http.ResponseWriter, r *http.Request) {
		hijacked, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		// Closed behind the answer's back, as by a daemon that restarts.
		_, _ = io.WriteString(hijacked, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")
		_ = hijacked.Close()
	})
	for range 3 {
		if _, err := c.Images(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := conns.Load(); n != 3 {
		t.Errorf("%d connections, want 3", n)
	}
}

func TestClientErrors(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		want   Error
	}{
		"problem":     {404, `{"code":"NotFound","detail":"no such instance","hint":"look","field":"id"}`, Error{CodeNotFound, "no such instance", "look", "id"}},
		"validation":  {422, `{"title":"Unprocessable","detail":"validation failed","errors":[{"message":"too long","location":"body.name"}]}`, Error{CodeInvalid, "validation failed: too long (body.name)", "", "body.name"}},
		"plain text":  {503, "busy", Error{CodeUnavailable, "the daemon answered with status 503", "", ""}},
		"other code":  {418, "", Error{CodeInvalid, "the daemon answered with status 418", "", ""}},
		"unknown 5xx": {502, "{}", Error{CodeInternal, "the daemon answered with status 502", "", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			client, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			_, err := client.Instance(t.Context(), "x")
			e, ok := errors.AsType[*Error](err)
			if !ok || *e != c.want {
				t.Errorf("error %#v, want %#v", err, c.want)
			}
		})
	}
}

func TestClientWithoutDaemon(t *testing.T) {
	c := Dial(filepath.Join(t.TempDir(), "none"))
	_, err := c.Version(t.Context())
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Code != CodeUnavailable || !strings.Contains(e.Hint, "virga server") {
		t.Errorf("error %v", err)
	}
}

func TestClientStreams(t *testing.T) {
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, ": comment\nid: %d\ndata: {\"text\":\ndata: \"line %d\"}\n\n", i, i)
		}
		_, _ = io.WriteString(w, "event: error\ndata: {\"code\":\"Conflict\",\"message\":\"gone\"}\n\n")
	})
	var got []string
	for l, err := range c.Logs(t.Context(), "web", LogOptions{Tail: -1}) {
		if err != nil {
			got = append(got, string(CodeOf(err)))
			continue
		}
		got = append(got, l.Text)
	}
	if s := strings.Join(got, ","); s != "line 0,line 1,line 2,Conflict" {
		t.Errorf("events %s", s)
	}
}

func TestClientStreamEndsWithContext(t *testing.T) {
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "data: {\"seq\":1}\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for _, err := range c.Events(ctx, 0, true) {
		last = err
		cancel()
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("last error %v", last)
	}
}

func TestClientUploads(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789"), 50_000)
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got, err := io.ReadAll(r.Body)
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("body of %d bytes, %v", len(got), err)
		}
		_, _ = io.WriteString(w, "data: {\"action\":\"unpacking\"}\n\ndata: {\"action\":\"done\",\"image\":{\"id\":\"sha256:1\"}}\n\n")
	})
	var last Progress
	for p, err := range c.Import(t.Context(), "app", bytes.NewReader(body)) {
		if err != nil {
			t.Fatal(err)
		}
		last = p
	}
	if last.Image == nil || last.Image.ID != "sha256:1" {
		t.Errorf("last message %+v", last)
	}
}

func TestClientUploadOfBrokenReader(t *testing.T) {
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err == nil {
			t.Error("the daemon took a part for the whole")
		}
	})
	broken := errors.New("disk on fire")
	r := io.MultiReader(strings.NewReader("part"), readerFunc(func([]byte) (int, error) { return 0, broken }))
	if err := c.WriteFiles(t.Context(), "web", "/", r); !errors.Is(err, broken) {
		t.Errorf("error %v, want the reader's", err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestClientDownloadIsWhole(t *testing.T) {
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 100_000))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler) // the connection breaks
	})
	tar, err := c.Export(t.Context(), []string{"app"}, ExportOCI)
	if err != nil {
		t.Fatal(err)
	}
	defer tar.Close()
	if _, err := io.Copy(io.Discard, tar); err == nil {
		t.Error("a broken download passed for whole")
	}
}

func FuzzResponse(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		w := &wire{r: bufio.NewReader(bytes.NewReader(in))}
		res, err := w.receive()
		if err != nil {
			return
		}
		if b, _ := io.ReadAll(res.body); len(b) > len(in) {
			t.Fatalf("%d bytes made a body of %d", len(in), len(b))
		}
	})
}

func FuzzEvents(f *testing.F) {
	f.Add([]byte("event: a\ndata: 1\ndata: 2\n\ndata:\n\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		s := bufio.NewScanner(bytes.NewReader(in))
		for {
			if _, _, err := readEvent(s); err != nil {
				return
			}
		}
	})
}

// A session's first message goes out with the request, which therefore has a
// connection of its own and leaves none behind when it is refused.
func TestRunThatIsRefused(t *testing.T) {
	c, conns := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/run" {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusConflict)
			_ = json.NewEncoder(w).Encode(Errorf(CodeConflict, "not now"))
			return
		}
		_, _ = io.WriteString(w, "[]")
	})
	for n := range 3 {
		if _, err := c.Images(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Run(t.Context(), CreateRequest{}); CodeOf(err) != CodeConflict {
			t.Fatalf("Run = %v, want a conflict", err)
		}
		if have, want := int(conns.Load()), n+2; have != want {
			t.Fatalf("%d connections, want %d", have, want)
		}
	}
}

func TestRunSendsItsRequestAhead(t *testing.T) {
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		// The whole message is there before the upgrade is answered.
		head := make([]byte, 6)
		if _, err := io.ReadFull(rw, head); err != nil || head[0] != 0x81 || head[1]&0x80 == 0 {
			t.Errorf("header of the first frame % x, %v", head, err)
			return
		}
		msg := make([]byte, head[1]&0x7f)
		_, err = io.ReadFull(rw, msg)
		for i := range msg {
			msg[i] ^= head[2+i%4]
		}
		var got CreateRequest
		if err = errors.Join(err, json.Unmarshal(msg, &got)); err != nil || got.Name != "web" {
			t.Errorf("first message %q, %v", msg, err)
		}
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: %s\r\n\r\n",
			ws.Accept(r.Header.Get("Sec-WebSocket-Key")))
		const answer = `{"ready":true,"instance":"id"}`
		_, _ = conn.Write(append([]byte{0x81, byte(len(answer))}, answer...))
	})
	s, id, err := c.Run(t.Context(), CreateRequest{Name: "web"})
	if err != nil || id != "id" {
		t.Fatalf("Run = %q, %v", id, err)
	}
	_ = s.Close()
}
