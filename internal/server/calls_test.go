package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

func wantCode(t *testing.T, what string, err error, want api.Code) {
	t.Helper()
	if api.CodeOf(err) != want {
		t.Errorf("%s: %v (%s), want %s", what, err, api.CodeOf(err), want)
	}
}

func TestFailedStartIsTheAnswer(t *testing.T) {
	w, ctx := newWorld(t, nil), t.Context()
	_, err := w.client.Create(ctx, hello("bad", "fail"), true)
	e, ok := errors.AsType[*api.Error](err)
	if !ok || e.Code != api.CodeNotFound || e.Field != "spec.command" {
		t.Errorf("create and start: %v", err)
	}
	wantCode(t, "start", w.client.Start(ctx, "bad"), api.CodeNotFound)
	r := hello("bad2", "fail")
	r.Spec.AutoRemove = true
	_, err = w.client.Create(ctx, r, true)
	wantCode(t, "start of one that is removed", err, api.CodeNotFound)
	_, err = w.client.Create(ctx, hello("bad"), false)
	wantCode(t, "taken name", err, api.CodeConflict)
	_, err = w.client.Create(ctx, api.CreateRequest{Spec: api.InstanceSpec{Image: "nginx"}}, false)
	if e, ok := errors.AsType[*api.Error](err); !ok || e.Hint != "virga image pull nginx" {
		t.Errorf("missing image: %v", err)
	}
	wantCode(t, "pause", w.client.Pause(ctx, "bad"), api.CodeConflict)
	wantCode(t, "kill", w.client.Kill(ctx, "bad", "TERM"), api.CodeConflict)
	wantCode(t, "rename", w.client.Rename(ctx, "bad", "BAD"), api.CodeInvalid)
}

func TestCapacity(t *testing.T) {
	w, ctx := newWorld(t, nil), t.Context()
	r := hello("")
	r.Spec.Resources.Memory = 300 << 20
	var mu sync.Mutex
	var wg sync.WaitGroup
	running := 0
	for range 10 {
		wg.Go(func() {
			_, err := w.client.Create(ctx, r, true)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				running++
			} else if api.CodeOf(err) != api.CodeInsufficientCapacity {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if running != 3 { // of 1 GiB
		t.Errorf("%d instances of 300 MiB run in 1 GiB", running)
	}
}

func TestWait(t *testing.T) {
	w, ctx := newWorld(t, nil), t.Context()
	r := hello("job")
	r.Spec.AutoRemove = true
	_, err := w.client.Create(ctx, r, true)
	must(t, err)
	type result struct {
		code int
		err  error
	}
	results := make(chan result, 2)
	for _, state := range []string{"stopped", "removed"} {
		go func() {
			code, err := w.client.Wait(ctx, "job", state)
			results <- result{code, err}
		}()
	}
	_, err = w.client.Wait(ctx, "job", "running")
	must(t, err)
	must(t, w.client.Kill(ctx, "job", "SIGINT"))
	for range 2 {
		r := <-results
		if api.CodeOf(r.err) == api.CodeNotFound {
			continue // it was over before the wait began
		}
		must(t, r.err)
		if r.code != 7 {
			t.Errorf("exit code %d", r.code)
		}
	}
}

func TestStreams(t *testing.T) {
	w, ctx := newWorld(t, nil), t.Context()
	_, err := w.client.Create(ctx, hello("web"), true)
	must(t, err)
	var lines []string
	for l, err := range w.client.Logs(ctx, "web", api.LogOptions{Tail: -1}) {
		must(t, err)
		lines = append(lines, l.Stream+" "+l.Text)
	}
	if strings.Join(lines, ",") != "stdout one,stderr two" {
		t.Errorf("logs %q", lines)
	}
	for _, err := range w.client.Logs(ctx, "web", api.LogOptions{Since: "yesterday"}) {
		wantCode(t, "bad time", err, api.CodeInvalid)
	}
	watched, leave := context.WithCancel(ctx)
	for st, err := range w.client.Stats(watched, "web", true) {
		if errors.Is(err, context.Canceled) {
			break
		}
		must(t, err)
		if st.Name != "web" || st.Pids.Current != 3 {
			t.Errorf("stats %+v", st)
		}
		leave()
	}
	leave()
	all, err := w.client.AllStats(ctx)
	must(t, err)
	if len(all) != 1 {
		t.Errorf("stats of %d instances", len(all))
	}
	// A stream that is followed ends with the server, not with an error.
	following := make(chan error, 1)
	go func() {
		for e, err := range w.client.Events(ctx, 0, true) {
			if err != nil {
				following <- err
				return
			}
			if e.Action == "create" {
				w.end()
			}
		}
		following <- nil
	}()
	must(t, <-following)
}

func TestTransfers(t *testing.T) {
	w, ctx := newWorld(t, nil), t.Context()
	last := func(seq func(func(api.Progress, error) bool)) (api.Progress, error) {
		var p api.Progress
		for v, err := range seq {
			if err != nil {
				return v, err
			}
			p = v
		}
		return p, nil
	}
	p, err := last(w.client.Pull(ctx, api.PullRequest{Reference: "virga/hello"}))
	must(t, err)
	if p.Image == nil || p.Image.ID != "sha256:1" {
		t.Errorf("pull ended with %+v", p)
	}
	_, err = last(w.client.Pull(ctx, api.PullRequest{Reference: "nginx"}))
	wantCode(t, "pull of a missing image", err, api.CodeNotFound)
	p, err = last(w.client.Import(ctx, "mine", strings.NewReader(strings.Repeat("x", 3<<20))))
	must(t, err)
	if p.Image == nil || p.Image.Size != 3<<20 {
		t.Errorf("import ended with %+v", p)
	}
	_, err = last(w.client.Push(ctx, api.PushRequest{Image: "virga/hello"}))
	must(t, err)
	tar, err := w.client.Export(ctx, []string{"virga/hello"}, api.ExportDocker)
	must(t, err)
	b, err := io.ReadAll(tar)
	must(t, err)
	_ = tar.Close()
	if string(b) != "tar docker" {
		t.Errorf("exported %q", b)
	}
}

func TestFiles(t *testing.T) {
	w, ctx := newWorld(t, nil), t.Context()
	_, err := w.client.Create(ctx, hello("web"), false)
	must(t, err)
	must(t, w.client.WriteFiles(ctx, "web", "/a", strings.NewReader("tar of a")))
	f, err := w.client.ReadFiles(ctx, "web", "/a")
	must(t, err)
	b, err := io.ReadAll(f)
	must(t, err)
	_ = f.Close()
	if string(b) != "tar of a" {
		t.Errorf("read %q", b)
	}
	_, err = w.client.ReadFiles(ctx, "web", "/none")
	wantCode(t, "missing file", err, api.CodeNotFound)
	_, err = w.client.ReadFiles(ctx, "web", "relative")
	wantCode(t, "relative path", err, api.CodeInvalid)
	// What breaks half way must not look whole.
	must(t, w.client.WriteFiles(ctx, "web", "/torn", strings.NewReader(strings.Repeat("x", 1<<20))))
	if f, err = w.client.ReadFiles(ctx, "web", "/torn"); err == nil {
		if _, err = io.ReadAll(f); err == nil {
			t.Error("a torn tar was read without an error")
		}
		_ = f.Close()
	}
}

func TestVolumesAndNetworks(t *testing.T) {
	w, ctx := newWorld(t, nil), t.Context()
	v, err := w.client.CreateVolume(ctx, api.VolumeRequest{Name: "data"})
	must(t, err)
	_, err = w.client.CreateVolume(ctx, api.VolumeRequest{})
	must(t, err)
	r := hello("db")
	r.Spec.Mounts = []api.Mount{{Type: api.MountVolume, Source: "data", Target: "/data"}}
	_, err = w.client.Create(ctx, r, false)
	must(t, err)
	if v, err = w.client.Volume(ctx, v.ID); err != nil || len(v.UsedBy) != 1 {
		t.Errorf("volume %+v, %v", v, err)
	}
	wantCode(t, "removing a used volume", w.client.RemoveVolume(ctx, "data"), api.CodeConflict)
	report, err := w.client.PruneVolumes(ctx, api.PruneRequest{All: true})
	must(t, err)
	if len(report.Removed) != 1 || report.Bytes != 5 {
		t.Errorf("pruned %+v", report)
	}
	must(t, w.client.Remove(ctx, "db", false, false))
	must(t, w.client.RemoveVolume(ctx, "data"))
	must(t, w.Store.Networks.Create(ctx, &api.Network{Meta: api.Meta{ID: "n1", Name: "default", Project: "default"}}))
	n, err := w.client.Network(ctx, "default")
	must(t, err)
	if n.Name != "default" {
		t.Errorf("network %+v", n)
	}
}

func TestSystem(t *testing.T) {
	w, ctx := newWorld(t, nil), t.Context()
	v, err := w.client.Version(ctx)
	must(t, err)
	if v.Version != "test" || v.API != "v1" {
		t.Errorf("version %+v", v)
	}
	_, err = w.client.Node(ctx)
	must(t, err)
	r, err := w.client.Check(ctx, true)
	must(t, err)
	if r.Repaired != 1 {
		t.Errorf("repair %+v", r)
	}
	images, err := w.client.Images(ctx)
	must(t, err)
	if len(images) != 1 {
		t.Errorf("images %+v", images)
	}
	_, err = w.client.Image(ctx, "none")
	wantCode(t, "missing image", err, api.CodeNotFound)
}

// ask sends a raw request through the socket.
func (w *world) ask(t *testing.T, method, path, body string) (int, map[string]any) {
	t.Helper()
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", w.socket)
		}}}
	r, err := http.NewRequestWithContext(t.Context(), method, "http://virga"+path, strings.NewReader(body))
	must(t, err)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.Do(r)
	must(t, err)
	defer resp.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil && !errors.Is(err, io.EOF) {
		t.Fatalf("%s %s: status %d: %v", method, path, resp.StatusCode, err)
	}
	if ct := resp.Header.Get("Content-Type"); resp.StatusCode >= 400 && ct != "application/problem+json" {
		t.Errorf("%s %s: an error of type %s", method, path, ct)
	}
	return resp.StatusCode, out
}

// TestProblems holds the shape of errors against a transcript; VIRGA_UPDATE=1
// rewrites it.
func TestProblems(t *testing.T) {
	w := newWorld(t, nil)
	spec := func(s string) string { return `{"spec":{"image":"virga/hello",` + s + `}}` }
	var got strings.Builder
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/v1/nothing", ""},
		{"PATCH", "/v1/instances", ""},
		{"GET", "/v1/instances/none", ""},
		{"GET", "/v1/instances?label==x", ""},
		{"GET", "/v1/instances/none/wait?for=ever", ""},
		{"GET", "/v1/events?since=-1", ""},
		{"GET", "/v1/events?since=x", ""},
		{"POST", "/v1/instances", ""},
		{"POST", "/v1/instances", "{"},
		{"POST", "/v1/instances", `{}`},
		{"POST", "/v1/instances", `{"spec":{"image":"virga/hello"},"colour":"red"}`},
		{"POST", "/v1/instances", `{"name":"No Good","spec":{"image":"virga/hello"}}`},
		{"POST", "/v1/instances", `{"spec":{"image":""}}`},
		{"POST", "/v1/instances", spec(`"isolation":"vm"`)},
		{"POST", "/v1/instances", spec(`"isolation":"chroot"`)},
		{"POST", "/v1/instances", spec(`"env":["NOVALUE"]`)},
		{"POST", "/v1/instances", spec(`"resources":{"memory":1000}`)},
		{"POST", "/v1/instances", spec(`"resources":{"memory":-1}`)},
		{"POST", "/v1/instances", spec(`"resources":{"memory":"lots"}`)},
		{"POST", "/v1/instances", spec(`"resources":{"cpus":1e300}`)},
		{"POST", "/v1/instances", spec(`"resources":{"memory":2147483648}`) + "start"},
		{"POST", "/v1/instances", spec(`"resources":{"cpus":64}`)},
		{"POST", "/v1/instances", spec(`"type":"burst.giant"`)},
		{"POST", "/v1/instances", spec(`"type":"gold"`)},
		{"POST", "/v1/instances", spec(`"type":"burst.2xlarge"`)},
		{"POST", "/v1/instances", spec(`"type":"dedicated.large"`)},
		{"POST", "/v1/instances", spec(`"type":"shared.small","resources":{"memory":536870912}`)},
		{"POST", "/v1/instances", spec(`"type":"shared.small","resources":{"cpus":1}`)},
		{"POST", "/v1/instances", spec(`"type":"shared.small","creditMode":"unlimited"`)},
		{"POST", "/v1/instances", spec(`"type":"dedicated.small","resources":{"cpuSet":"0"}`)},
		{"POST", "/v1/instances", spec(`"creditMode":"standard"`)},
		{"POST", "/v1/instances", spec(`"type":"burst.nano","creditMode":"plenty"`)},
		{"POST", "/v1/instances/none/resize", `{"type":"shared.nano"}`},
		{"POST", "/v1/types", `{"name":"shared.x","family":"shared","vcpus":0,"memory":1073741824}`},
		{"POST", "/v1/types", `{"name":"shared.x","family":"shared","vcpus":-1,"memory":1073741824}`},
		{"POST", "/v1/types", `{"name":"shared.x","family":"shared","vcpus":1e300,"memory":1073741824}`},
		{"POST", "/v1/types", `{"name":"shared.x","family":"shared","vcpus":1,"memory":1}`},
		{"POST", "/v1/types", `{"name":"shared.x","family":"custom","vcpus":1,"memory":1073741824}`},
		{"POST", "/v1/types", `{"name":"shared.x","family":"dedicated","vcpus":1,"memory":1073741824,"quota":true}`},
		{"POST", "/v1/types", `{"name":"shared.small","family":"shared","vcpus":1,"memory":1073741824}`},
		{"DELETE", "/v1/types/shared.small", ""},
		{"DELETE", "/v1/types/shared.none", ""},
		{"POST", "/v1/instances", spec(`"stopTimeout":"soon"`)},
		{"POST", "/v1/instances", spec(`"ports":[{"port":0}]`)},
		{"POST", "/v1/instances", spec(`"ports":[{"port":70000}]`)},
		{"POST", "/v1/instances", spec(`"mounts":[{"type":"bind","source":"x","target":"/y"}]`)},
		{"POST", "/v1/instances", spec(`"mounts":[{"type":"tmpfs","target":"/y"},{"type":"tmpfs","target":"/y/"}]`)},
		{"POST", "/v1/instances", spec(`"security":{"capAdd":["FLY"]}`)},
		{"POST", "/v1/instances", spec(`"security":{"sysctls":{"kernel.panic":"1"}}`)},
		{"POST", "/v1/instances", spec(`"autoRemove":true,"restart":{"policy":"always"}`)},
		{"POST", "/v1/volumes", `{"name":"a/b"}`},
		{"GET", "/v1/instances/none/attach", ""},
	} {
		path, body := c.path, c.body
		if b, ok := strings.CutSuffix(body, "start"); ok {
			path, body = path+"?start=true", b
		}
		status, p := w.ask(t, c.method, path, body)
		fmt.Fprintf(&got, "%s %s %s\n  %d %v: %v\n", c.method, path, body, status, p["code"], p["detail"])
		for _, k := range []string{"field", "hint", "errors"} {
			if p[k] != nil {
				fmt.Fprintf(&got, "  %s: %v\n", k, p[k])
			}
		}
	}
	const file = "testdata/problems.txt"
	if os.Getenv("VIRGA_UPDATE") != "" {
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(file, []byte(got.String()), 0o644))
	}
	want, err := os.ReadFile(file)
	must(t, err)
	if got.String() != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", got.String(), want)
	}
}

func TestStrangersAreKeptOut(t *testing.T) {
	w := newWorld(t, nil)
	r, err := http.NewRequest("GET", "/v1/version", nil)
	must(t, err)
	wantCode(t, "TCP without TLS", w.authorize(r), api.CodeForbidden)
	ctx := context.WithValue(t.Context(), peerKey{}, peer{uid: 65534, gid: 65534, pid: 1})
	wantCode(t, "another user", w.authorize(r.WithContext(ctx)), api.CodeForbidden)
	if _, err := ListenUnix(w.socket, 0); api.CodeOf(err) != api.CodeConflict {
		t.Errorf("second daemon on the socket: %v", err)
	}
}

func BenchmarkCreateStartRemove(b *testing.B) {
	// What the server itself costs: the store is memory, the node a fake.
	w := newWorld(b, nil)
	ctx := b.Context()
	r := hello("", "exit")
	start := time.Now()
	for b.Loop() {
		in, err := w.client.Create(ctx, r, true)
		must(b, err)
		must(b, w.client.Remove(ctx, in.ID, false, false))
	}
	b.ReportMetric(float64(time.Since(start).Microseconds())/float64(b.N), "us/cycle")
}
