package acme

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

const (
	// Protocol is what a TLS-ALPN-01 validation negotiates (RFC 8737).
	Protocol = acme.ALPNProto
	// ChallengePath begins the paths of HTTP-01 validations.
	ChallengePath = "/.well-known/acme-challenge/"

	// Public authorities allow about five failures an hour for a name.
	firstPause   = time.Minute
	longestPause = time.Hour
	// askTimeout bounds one request to the authority.
	askTimeout = time.Minute
)

// Config is what an Issuer stands on.
type Config struct {
	Dir       string // where the account's key and the certificates are kept
	Directory string // URL of the authority's directory
	Email     string // where the authority writes to; may be ""
	Root      string // file with the certificate, PEM, that the directory is trusted by; "" is the system's
	Log       *slog.Logger
	// Changed is called when there is a certificate more, or a failure. It must
	// not block. Nil is nobody.
	Changed func()
}

// Issuer has certificates for the names that are wanted. Its methods may be
// called concurrently.
type Issuer struct {
	config Config
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
	pause  time.Duration // after a first failure

	mu      sync.Mutex
	names   map[string]*name // +checklocks:mu; the wanted ones
	manager *manager         // +checklocks:mu; nil while nothing was wanted
}

// name is what is known of a wanted name.
type name struct {
	ready   bool
	problem string
	stop    context.CancelFunc
}

// manager is the library's, with the means to keep it from asking further.
type manager struct {
	autocert.Manager
	retired atomic.Bool
}

// New makes an issuer, which asks nobody before a name is wanted.
func New(c Config) *Issuer {
	i := &Issuer{config: c, names: map[string]*name{}, pause: firstPause}
	i.ctx, i.cancel = context.WithCancel(context.Background())
	return i
}

// Close ends what is under way. Certificates that are there are kept.
func (i *Issuer) Close() {
	i.cancel()
	i.mu.Lock()
	if i.manager != nil {
		i.manager.retired.Store(true)
	}
	i.mu.Unlock()
	i.work.Wait()
}

// Want makes the names that have certificates those given, in lower case.
// Missing ones are obtained in the background.
func (i *Issuer) Want(names []string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	removed := false
	for n, known := range i.names {
		if !slices.Contains(names, n) {
			known.stop()
			delete(i.names, n)
			removed = true
		}
	}
	if removed && i.manager != nil {
		// The library renews what it has ever had: another one begins with what
		// is stored, and this one is kept from asking.
		i.manager.retired.Store(true)
		i.manager = nil
	}
	if len(names) > 0 && i.manager == nil {
		i.manager = i.newManager()
	}
	for _, n := range names {
		if i.names[n] != nil || i.ctx.Err() != nil {
			continue
		}
		ctx, stop := context.WithCancel(i.ctx)
		i.names[n] = &name{stop: stop}
		i.work.Go(func() { i.obtain(ctx, n) })
	}
}

func (i *Issuer) newManager() *manager {
	m := &manager{}
	m.Prompt = autocert.AcceptTOS
	m.Email = i.config.Email
	m.Cache = store(i.config.Dir)
	m.HostPolicy = func(_ context.Context, host string) error {
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.names[host] == nil {
			return fmt.Errorf("no service wants a certificate for %q", host)
		}
		return nil
	}
	m.Client = &acme.Client{DirectoryURL: i.config.Directory, UserAgent: "virga",
		HTTPClient: &http.Client{Timeout: askTimeout, Transport: &transport{m: m, root: i.config.Root}}}
	m.HTTPHandler(nil) // from here on HTTP-01 is tried too
	return m
}

// transport asks the authority, and refuses when its manager is retired.
type transport struct {
	m    *manager
	root string
	once sync.Once
	to   http.RoundTripper
	err  error
}

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.m.retired.Load() {
		return nil, errors.New("the name is no longer wanted")
	}
	t.once.Do(func() {
		tr := http.DefaultTransport.(*http.Transport).Clone()
		if t.root != "" {
			b, err := os.ReadFile(t.root)
			pool := x509.NewCertPool()
			if err == nil && !pool.AppendCertsFromPEM(b) {
				err = fmt.Errorf("%s has no certificate in PEM", t.root)
			}
			t.err = err
			tr.TLSClientConfig = &tls.Config{RootCAs: pool}
		}
		t.to = tr
	})
	if t.err != nil {
		return nil, t.err
	}
	return t.to.RoundTrip(r)
}

// obtain gets the certificate for a name, with pauses between failures.
func (i *Issuer) obtain(ctx context.Context, n string) {
	for pause := i.pause; ; pause = min(2*pause, longestPause) {
		_, err := i.get(n)
		if ctx.Err() != nil {
			return
		}
		i.mu.Lock()
		if known := i.names[n]; known != nil {
			known.ready, known.problem = err == nil, ""
			if err != nil {
				known.problem = fmt.Sprintf("no certificate for %s yet, tried again in %s: %v", n, pause, err)
			}
		}
		i.mu.Unlock()
		if i.config.Changed != nil {
			i.config.Changed()
		}
		if err == nil {
			i.config.Log.Info("certificate is there", "name", n, "authority", i.config.Directory)
			return
		}
		i.config.Log.Warn("certificate cannot be had", "name", n, "authority", i.config.Directory, "error", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// get returns the certificate for a name; the library obtains it when it has
// none.
func (i *Issuer) get(n string) (*tls.Certificate, error) {
	i.mu.Lock()
	m := i.manager
	i.mu.Unlock()
	if m == nil {
		return nil, errors.New("no name is wanted")
	}
	// A client that knows elliptic curves, as all do: one certificate serves all.
	return m.GetCertificate(&tls.ClientHelloInfo{ServerName: n, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}})
}

// Certificate is the one for a name, nil when there is none (yet): it never
// waits for the authority.
func (i *Issuer) Certificate(name string) *tls.Certificate {
	i.mu.Lock()
	known := i.names[name]
	ready := known != nil && known.ready
	i.mu.Unlock()
	if !ready {
		return nil
	}
	c, err := i.get(name)
	if err != nil {
		return nil
	}
	return c
}

// Validates says whether a client is the authority that validates by
// TLS-ALPN-01, and returns what it is to be shown.
func (i *Issuer) Validates(hello *tls.ClientHelloInfo) (c *tls.Certificate, yes bool, err error) {
	if len(hello.SupportedProtos) != 1 || hello.SupportedProtos[0] != Protocol {
		return nil, false, nil
	}
	i.mu.Lock()
	m := i.manager
	i.mu.Unlock()
	if m == nil {
		return nil, true, errors.New("no certificate is wanted")
	}
	c, err = m.GetCertificate(hello)
	return c, true, err
}

// Challenge is the answer to a request of an HTTP-01 validation, by host and
// path; ok is false when it is none that is expected.
func (i *Issuer) Challenge(host, path string) (answer string, ok bool) {
	i.mu.Lock()
	m := i.manager
	i.mu.Unlock()
	if m == nil || !strings.HasPrefix(path, ChallengePath) {
		return "", false
	}
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	r := &http.Request{Method: http.MethodGet, Host: strings.ToLower(host), URL: &url.URL{Path: path}}
	var w answered
	m.HTTPHandler(http.NotFoundHandler()).ServeHTTP(&w, r)
	return w.body.String(), w.status == http.StatusOK
}

// answered keeps what the library answers.
type answered struct {
	body   bytes.Buffer
	status int
	header http.Header
}

func (a *answered) Header() http.Header {
	if a.header == nil {
		a.header = http.Header{}
	}
	return a.header
}

func (a *answered) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answered) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

// Problems are what keeps names from having certificates.
func (i *Issuer) Problems(names []string) (out []string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, n := range names {
		if known := i.names[n]; known != nil && known.problem != "" {
			out = append(out, known.problem)
		}
	}
	return out
}
