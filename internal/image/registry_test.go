package image

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	fakeregistry "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/virga-cloud/virga/api"
)

// startRegistry serves a registry on loopback; wrap may interfere.
func startRegistry(t testing.TB, wrap func(http.Handler) http.Handler) string {
	t.Helper()
	h := fakeregistry.New(fakeregistry.Logger(log.New(io.Discard, "", 0)))
	if wrap != nil {
		h = wrap(h)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func randomImage(t testing.TB, layers int64) v1.Image {
	t.Helper()
	i, err := random.Image(200<<10, layers)
	if err != nil {
		t.Fatal(err)
	}
	i, err = mutate.ConfigFile(i, &v1.ConfigFile{OS: "linux", Architecture: "amd64", RootFS: mustConfig(t, i).RootFS})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func mustConfig(t testing.TB, i v1.Image) *v1.ConfigFile {
	t.Helper()
	c, err := i.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func upload(t testing.TB, ref string, i v1.Image) {
	t.Helper()
	r, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(r, i); err != nil {
		t.Fatal(err)
	}
}

func TestPushAndPull(t *testing.T) {
	host := startRegistry(t, nil)
	from, to := openStore(t), openStore(t)
	want := mustImport(t, from, host+"/team/app:1", tarOf(t, smallRoot...))
	if err := from.Push(t.Context(), api.PushRequest{Image: host + "/team/app:1"}, nil); err != nil {
		t.Fatal(err)
	}
	if err := from.Push(t.Context(), api.PushRequest{Image: want.ID, Reference: host + "/b:2"}, nil); err != nil {
		t.Fatal(err)
	}
	if err := from.Push(t.Context(), api.PushRequest{Image: want.ID}, nil); api.CodeOf(err) != api.CodeInvalid {
		t.Errorf("push of an id: %v", err)
	}
	got, err := to.Pull(t.Context(), api.PullRequest{Reference: host + "/team/app:1", Platform: "linux/amd64"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != want.ID || got.Digest != want.Digest || got.Size != want.Size {
		t.Errorf("pulled %+v, pushed %+v", got, want)
	}
	byDigest, err := to.Pull(t.Context(), api.PullRequest{Reference: host + "/b@" + want.Digest}, nil)
	if err != nil || byDigest.ID != want.ID {
		t.Errorf("by digest: %v %v", byDigest, err)
	}
	if r, _, err := to.Resolve(t.Context(), host+"/b@"+want.Digest); err != nil || r.ID != want.ID {
		t.Errorf("resolve by digest: %v", err)
	}
	var actions []string
	if _, err := to.Pull(t.Context(), api.PullRequest{Reference: host + "/b:2"}, func(p api.Progress) { actions = append(actions, p.Action) }); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(actions, "exists") || slices.Contains(actions, "done") {
		t.Errorf("a layer that is here is fetched: %v", actions)
	}
	checkClean(t, to)
}

func TestPullChoosesThePlatform(t *testing.T) {
	host := startRegistry(t, nil)
	amd, arm := randomImage(t, 1), randomImage(t, 1)
	index := mutate.AppendManifests(empty.Index,
		mutate.IndexAddendum{Add: amd, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}},
		mutate.IndexAddendum{Add: arm, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}}})
	ref, err := name.ParseReference(host + "/multi:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(ref, index); err != nil {
		t.Fatal(err)
	}
	s := openStore(t, func(c *Config) { c.Platform = "linux/amd64" })
	for platform, want := range map[string]v1.Image{"": amd, "linux/amd64": amd, "linux/arm64/v8": arm} {
		got, err := s.Pull(t.Context(), api.PullRequest{Reference: ref.Name(), Platform: platform}, nil)
		id, _ := want.ConfigName()
		if platform == "linux/arm64/v8" {
			// The test's images all say amd64.
			if api.CodeOf(err) != api.CodeNotFound && got.ID != id.String() {
				t.Errorf("%s: %v %v", platform, got.ID, err)
			}
			continue
		}
		if err != nil || got.ID != id.String() {
			t.Errorf("%q: %v %v", platform, got.ID, err)
		}
	}
	_, err = s.Pull(t.Context(), api.PullRequest{Reference: ref.Name(), Platform: "linux/riscv64"}, nil)
	if api.CodeOf(err) != api.CodeNotFound {
		t.Errorf("a platform that is not there: %v", err)
	}
	if _, err = s.Pull(t.Context(), api.PullRequest{Reference: ref.Name(), Platform: "x"}, nil); api.CodeOf(err) != api.CodeInvalid {
		t.Errorf("no platform: %v", err)
	}
}

// TestPullGoesOn breaks the connection twice in the middle of each blob: what
// has come is not asked for again.
func TestPullGoesOn(t *testing.T) {
	var mu sync.Mutex
	var ranges []string
	breaks := map[string]int{}
	host := startRegistry(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/blobs/") {
				h.ServeHTTP(w, r)
				return
			}
			rec := httptest.NewRecorder()
			q := r.Clone(r.Context())
			q.Header.Del("Range")
			h.ServeHTTP(rec, q)
			body := rec.Body.Bytes()
			if len(body) < 10_000 { // the configuration
				h.ServeHTTP(w, r)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			from := 0
			if rg := r.Header.Get("Range"); rg != "" {
				ranges = append(ranges, rg)
				fmt.Sscanf(rg, "bytes=%d-", &from)
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(body)-1, len(body)))
			}
			w.Header().Set("Content-Length", fmt.Sprint(len(body)-from))
			if from > 0 {
				w.WriteHeader(http.StatusPartialContent)
			}
			rest := body[from:]
			breaks[r.URL.Path]++
			if breaks[r.URL.Path] <= 2 {
				_, _ = w.Write(rest[:40_000])
				panic(http.ErrAbortHandler)
			}
			_, _ = w.Write(rest)
		})
	})
	upload(t, host+"/big:1", randomImage(t, 3))
	s := openStore(t)
	if _, err := s.Pull(t.Context(), api.PullRequest{Reference: host + "/big:1"}, nil); err != nil {
		t.Fatal(err)
	}
	asked := strings.Join(ranges, " ")
	if len(ranges) != 6 || strings.Count(asked, "bytes=40000-") != 3 || strings.Count(asked, "bytes=80000-") != 3 {
		t.Errorf("ranges asked for: %v", ranges)
	}
	checkClean(t, s)
}

func TestPartialFileIsUsedByTheNextPull(t *testing.T) {
	host := startRegistry(t, nil)
	img := randomImage(t, 1)
	upload(t, host+"/p:1", img)
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	digest := m.Layers[0].Digest.String()
	layers, _ := img.Layers()
	rc, err := layers[0].Compressed()
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	blob, err := io.ReadAll(rc)
	if err != nil {
		t.Fatal(err)
	}
	for name, partial := range map[string][]byte{
		"beginning": blob[:1000], "all": blob, "garbage": []byte("garbage"), "too much": append(slices.Clone(blob), 1),
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t)
			if err := os.WriteFile(s.partialPath(digest), partial, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Pull(t.Context(), api.PullRequest{Reference: host + "/p:1"}, nil); err != nil {
				t.Fatal(err)
			}
			checkClean(t, s)
		})
	}
}

func TestPullRefusesWhatIsWrong(t *testing.T) {
	change := func(part string, f func([]byte) []byte) func(http.Handler) http.Handler {
		return func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, part) {
					h.ServeHTTP(w, r)
					return
				}
				rec := httptest.NewRecorder()
				h.ServeHTTP(rec, r)
				b := f(slices.Clone(rec.Body.Bytes()))
				for k, v := range rec.Header() {
					w.Header()[k] = v
				}
				w.Header().Set("Content-Length", fmt.Sprint(len(b)))
				w.WriteHeader(rec.Code)
				_, _ = w.Write(b)
			})
		}
	}
	flip := func(b []byte) []byte {
		if len(b) > 0 {
			b[len(b)/2] ^= 1
		}
		return b
	}
	only := func(large bool, f func([]byte) []byte) func([]byte) []byte {
		return func(b []byte) []byte {
			if large == (len(b) > 10_000) {
				return f(b)
			}
			return b
		}
	}
	for name, test := range map[string]struct {
		wrap func(http.Handler) http.Handler
		code api.Code
		want string
	}{
		"wrong manifest": {change("/manifests/", flip), api.CodeInvalid, "wrong digest"},
		"wrong config":   {change("/blobs/", only(false, flip)), api.CodeInvalid, "wrong digest"},
		"wrong layer":    {change("/blobs/", only(true, flip)), api.CodeInvalid, "wrong digest"},
		"large layer":    {change("/blobs/", only(true, func(b []byte) []byte { return append(b, 0) })), api.CodeInvalid, "larger"},
		"large manifest": {change("/manifests/", func([]byte) []byte { return make([]byte, 5<<20) }), api.CodeInvalid, "more than"},
		"needs a login": {func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
				w.WriteHeader(http.StatusUnauthorized)
			})
		}, api.CodeForbidden, "does not allow"},
		"redirect to plain HTTP elsewhere": {func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, "/blobs/") && r.Method == http.MethodGet {
					http.Redirect(w, r, "http://192.0.2.1/blob", http.StatusTemporaryRedirect)
					return
				}
				h.ServeHTTP(w, r)
			})
		}, api.CodeForbidden, "plain HTTP"},
	} {
		t.Run(name, func(t *testing.T) {
			var armed atomic.Bool
			host := startRegistry(t, func(h http.Handler) http.Handler {
				bad := test.wrap(h)
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if armed.Load() {
						bad.ServeHTTP(w, r)
						return
					}
					h.ServeHTTP(w, r)
				})
			})
			upload(t, host+"/x:1", randomImage(t, 1))
			armed.Store(true)
			s := openStore(t)
			_, err := s.Pull(t.Context(), api.PullRequest{Reference: host + "/x:1"}, nil)
			if api.CodeOf(err) != test.code || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %s with %q", err, test.code, test.want)
			}
			if l, _ := s.List(t.Context()); len(l) != 0 {
				t.Errorf("images: %v", l)
			}
		})
	}
	s := openStore(t)
	host := startRegistry(t, nil)
	for ref, code := range map[string]api.Code{
		host + "/missing:1": api.CodeNotFound, "UPPER": api.CodeInvalid, "": api.CodeInvalid,
		"127.0.0.1:1/nobody:1": api.CodeUnavailable, strings.Repeat("a", 300): api.CodeInvalid,
	} {
		if _, err := s.Pull(t.Context(), api.PullRequest{Reference: ref}, nil); api.CodeOf(err) != code {
			t.Errorf("pull %.40q: %v, want %s", ref, err, code)
		}
	}
	checkClean(t, s)
}

func TestPullWithALogin(t *testing.T) {
	host := startRegistry(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if u, p, ok := r.BasicAuth(); !ok || u != "me" || p != "secret" {
				w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	s := openStore(t)
	auth := &api.RegistryAuth{Username: "me", Password: "secret"}
	mustImport(t, s, host+"/x:1", tarOf(t, smallRoot...))
	if err := s.Push(t.Context(), api.PushRequest{Image: host + "/x:1"}, nil); api.CodeOf(err) != api.CodeForbidden {
		t.Errorf("push without: %v", err)
	}
	if err := s.Push(t.Context(), api.PushRequest{Image: host + "/x:1", Auth: auth}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Pull(t.Context(), api.PullRequest{Reference: host + "/x:1"}, nil); api.CodeOf(err) != api.CodeForbidden {
		t.Errorf("pull without: %v", err)
	}
	if _, err := s.Pull(t.Context(), api.PullRequest{Reference: host + "/x:1", Auth: auth}, nil); err != nil {
		t.Fatal(err)
	}
}

// TestPullsShareTheirWork pulls the same image many times at once.
func TestPullsShareTheirWork(t *testing.T) {
	var fetched atomic.Int64
	host := startRegistry(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
				fetched.Add(1)
			}
			h.ServeHTTP(w, r)
		})
	})
	upload(t, host+"/x:1", randomImage(t, 3))
	s := openStore(t)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if _, err := s.Pull(t.Context(), api.PullRequest{Reference: host + "/x:1"}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := fetched.Load(); n != 3+6 { // each layer once, each configuration
		t.Errorf("%d blobs fetched, want 9", n)
	}
	var b bytes.Buffer
	if err := s.Export(t.Context(), []string{host + "/x:1"}, api.ExportOCI, &b); err != nil {
		t.Error(err)
	}
	checkClean(t, s)
}
