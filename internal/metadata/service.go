package metadata

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	headerTTL   = "X-aws-ec2-metadata-token-ttl-seconds"
	headerToken = "X-aws-ec2-metadata-token"
	// perSecond and atOnce limit each instance, about what EC2 allows for one
	// interface (1,024 packets a second).
	perSecond = 500
	atOnce    = 1000
	// manyGuests is when those that are quiet are forgotten.
	manyGuests = 1024
)

// Config is what a Service needs.
type Config struct {
	// View is what an instance may learn of itself; false for one that is gone.
	View func(instance string) (View, bool)
	// Key signs identity documents; Certificate, of the key, lets others check
	// the signature.
	Key         crypto.Signer
	Certificate *x509.Certificate
	Now         func() time.Time
	Log         *slog.Logger
}

// Service answers instances. Its methods may be called concurrently.
type Service struct {
	config Config
	tokens *tokens

	mu     sync.Mutex
	guests map[string]*guest // +checklocks:mu; by instance
}

// guest is what is remembered of an instance that asks.
type guest struct {
	limit *rate.Limiter

	mu       sync.Mutex
	identity identity // +checklocks:mu; the newest
}

// New makes a service. Tokens of an earlier one are not good with it.
func New(c Config) *Service {
	return &Service{config: c, tokens: newTokens(), guests: map[string]*guest{}}
}

// Serve answers the connections of one network's listener until that is
// closed. who finds the instance that has an address there.
func (s *Service) Serve(l net.Listener, who func(netip.Addr) (instance string, ok bool)) {
	server := &http.Server{
		Handler: s.Handler(who), ConnContext: ConnContext,
		ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(s.config.Log.Handler(), slog.LevelDebug),
	}
	if err := server.Serve(l); !errors.Is(err, net.ErrClosed) {
		s.config.Log.Error("metadata service ended", "at", l.Addr(), "err", err)
	}
	_ = server.Close()
}

// Handler answers the instances that who finds.
func (s *Service) Handler(who func(netip.Addr) (instance string, ok bool)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil {
			http.Error(w, "who are you?", http.StatusForbidden)
			return
		}
		var v View
		instance, ok := who(from.Addr().Unmap())
		if ok {
			v, ok = s.config.View(instance)
		}
		s.serve(w, r, v, ok)
	})
}

// guest is what is remembered of an instance. Those that have not asked for a
// while are forgotten when there are many.
func (s *Service) guest(instance string) *guest {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.guests[instance]
	if g != nil {
		return g
	}
	if len(s.guests) >= manyGuests {
		now := s.config.Now()
		maps.DeleteFunc(s.guests, func(_ string, g *guest) bool { return g.limit.TokensAt(now) >= atOnce })
	}
	g = &guest{limit: rate.NewLimiter(perSecond, atOnce)}
	s.guests[instance] = g
	return g
}

func (s *Service) allowed(instance string) bool {
	return s.guest(instance).limit.AllowN(s.config.Now(), 1)
}

// serve answers the instance that v is of, where there is one.
func (s *Service) serve(w http.ResponseWriter, r *http.Request, v View, ok bool) {
	switch {
	case !ok || v.Options.Off:
		http.Error(w, "Forbidden", http.StatusForbidden)
	case r.Header.Get("X-Forwarded-For") != "":
		// A proxy inside the instance would give its token to strangers.
		http.Error(w, "Forbidden: forwarded requests are not answered", http.StatusForbidden)
	case !s.allowed(v.ID):
		w.Header().Set("Retry-After", "1")
		http.Error(w, "Too Many Requests", http.StatusTooManyRequests)
	case r.Method == http.MethodPut:
		s.grant(w, r, v)
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		s.answer(w, r, v)
	default:
		w.Header().Set("Allow", "GET, HEAD, PUT")
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
	}
}

// grant gives a session token.
func (s *Service) grant(w http.ResponseWriter, r *http.Request, v View) {
	switch path := strings.TrimRight(r.URL.Path, "/"); {
	case strings.HasSuffix(path, "/api/token") && path != "/latest/api/token":
		http.Error(w, "Forbidden", http.StatusForbidden)
		return
	case path != "/latest/api/token":
		http.NotFound(w, r)
		return
	}
	ttl, err := strconv.Atoi(r.Header.Get(headerTTL))
	if err != nil || ttl < shortestTTL || ttl > longestTTL {
		http.Error(w, "Bad Request: "+headerTTL+" must be from 1 to 21600", http.StatusBadRequest)
		return
	}
	limitHops(r.Context(), max(v.Options.HopLimit, 1))
	w.Header().Set(headerTTL, strconv.Itoa(ttl))
	w.Header().Set("Content-Type", "text/plain")
	w.Write([]byte(s.tokens.make(v.ID, s.config.Now().Add(time.Duration(ttl)*time.Second))))
}

// answer serves the tree.
func (s *Service) answer(w http.ResponseWriter, r *http.Request, v View) {
	token := r.Header.Get(headerToken)
	if token == "" && v.Options.TokenRequired || token != "" && !s.tokens.valid(token, v.ID, s.config.Now()) {
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
		return
	}
	body, ok, err := s.body(r.URL.Path, v)
	switch {
	case err != nil:
		s.config.Log.Error("metadata request", "instance", v.ID, "path", r.URL.Path, "err", err)
		http.Error(w, "Internal Server Error", http.StatusInternalServerError)
	case !ok:
		http.NotFound(w, r)
	default:
		w.Header().Set("Content-Type", contentType(r.URL.Path))
		w.Write([]byte(body))
	}
}

// body finds what lies at a path; one without its slash is found as well.
func (s *Service) body(path string, v View) (string, bool, error) {
	version, rest, deeper := strings.Cut(strings.TrimLeft(path, "/"), "/")
	if version == "" {
		return strings.Join(versions, "\n"), true, nil
	}
	if !known(version) {
		return "", false, nil
	}
	if !deeper || rest == "" {
		top := "dynamic\nmeta-data"
		if len(v.UserData) > 0 {
			top += "\nuser-data"
		}
		return top, true, nil
	}
	if strings.HasPrefix(rest, "dynamic") {
		return s.dynamic(strings.Trim(rest, "/"), v)
	}
	t := build(v)
	if body, ok := t[rest]; ok {
		return body, true, nil
	}
	if body, ok := t[rest+"/"]; ok {
		return body, true, nil
	}
	body, ok := t[strings.TrimRight(rest, "/")]
	return body, ok, nil
}

func (s *Service) dynamic(path string, v View) (string, bool, error) {
	switch path {
	case "dynamic":
		return "instance-identity/", true, nil
	case "dynamic/instance-identity":
		return "document\npkcs7\nsignature", true, nil
	case "dynamic/instance-identity/document", "dynamic/instance-identity/pkcs7", "dynamic/instance-identity/signature":
	default:
		return "", false, nil
	}
	id, err := s.identity(v)
	switch path {
	case "dynamic/instance-identity/pkcs7":
		return id.pkcs7, true, err
	case "dynamic/instance-identity/signature":
		return id.signature, true, err
	}
	return id.document, true, err
}

// identity is the signed document of v. It is signed anew only when it changed.
func (s *Service) identity(v View) (identity, error) {
	doc, err := newDocument(v)
	if err != nil {
		return identity{}, err
	}
	g := s.guest(v.ID)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.identity.document == doc {
		return g.identity, nil
	}
	id, err := sign(doc, s.config.Key, s.config.Certificate)
	if err != nil {
		return id, fmt.Errorf("sign identity of %s: %w", v.ID, err)
	}
	g.identity = id
	return id, nil
}

func known(version string) bool {
	for _, v := range versions {
		if v == version {
			return true
		}
	}
	return false
}

func contentType(path string) string {
	if strings.HasSuffix(strings.TrimRight(path, "/"), "/user-data") {
		return "application/octet-stream"
	}
	return "text/plain"
}
