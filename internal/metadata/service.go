package metadata

import (
	"crypto"
	"log/slog"
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
)

// Config is what a Service needs.
type Config struct {
	// Lookup finds the instance with that address on the network the request
	// came in by.
	Lookup func(netip.Addr) (View, bool)
	// Key signs identity documents.
	Key crypto.Signer
	Now func() time.Time
	Log *slog.Logger
}

// Service answers instances. It is a http.Handler and may be used concurrently.
type Service struct {
	config Config
	tokens *tokens

	mu     sync.Mutex
	limits map[string]*rate.Limiter // +checklocks:mu by instance
}

// New makes a service. Tokens of an earlier one are not good with it.
func New(c Config) *Service {
	return &Service{config: c, tokens: newTokens(), limits: map[string]*rate.Limiter{}}
}

// Forget drops what is remembered of an instance that is gone.
func (s *Service) Forget(instance string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.limits, instance)
}

func (s *Service) allowed(instance string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.limits[instance]
	if l == nil {
		l = rate.NewLimiter(perSecond, atOnce)
		s.limits[instance] = l
	}
	return l.AllowN(s.config.Now(), 1)
}

func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		http.Error(w, "who are you?", http.StatusForbidden)
		return
	}
	v, ok := s.config.Lookup(from.Addr().Unmap())
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
		return "document\nsignature", true, nil
	}
	doc, signature, err := identity(v, s.config.Key)
	switch path {
	case "dynamic/instance-identity/document":
		return doc, true, err
	case "dynamic/instance-identity/signature":
		return signature, true, err
	}
	return "", false, nil
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
