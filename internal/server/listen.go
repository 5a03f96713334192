package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/virga-cloud/virga/api"
)

// ListenUnix listens on a unix socket that root and the members of group may
// use; group 0 leaves it to root. A socket that nobody answers is replaced;
// one with a daemon behind it is a Conflict.
func ListenUnix(path string, group int) (net.Listener, error) {
	if c, err := net.Dial("unix", path); err == nil {
		_ = c.Close()
		return nil, api.Errorf(api.CodeConflict, "a daemon listens on %s already", path).
			WithHint("stop it, or choose another --socket and --data-dir")
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("replace socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	mode := os.FileMode(0o600)
	if group != 0 {
		mode = 0o660
		err = os.Chown(path, 0, group)
	}
	if err = errors.Join(err, os.Chmod(path, mode)); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("protect socket %s: %w", path, err)
	}
	return l, nil
}

type peerKey struct{}

// peer is who is at the other end of a unix connection.
type peer struct{ uid, gid, pid int }

// rememberPeer reads the credentials of a unix connection once.
func rememberPeer(ctx context.Context, c net.Conn) context.Context {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return ctx
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return ctx
	}
	p := peer{uid: -1, gid: -1}
	err = raw.Control(func(fd uintptr) {
		if cred, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED); err == nil {
			p = peer{int(cred.Uid), int(cred.Gid), int(cred.Pid)}
		}
	})
	if err != nil {
		return ctx
	}
	return context.WithValue(ctx, peerKey{}, p)
}

// authorized lets root and the group in through the unix socket, and bearers
// of a token through TLS.
func (s *Server) authorized(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.authorize(r); err != nil {
			writeProblem(w, problemOf(err))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) authorize(r *http.Request) error {
	if p, ok := r.Context().Value(peerKey{}).(peer); ok {
		if p.uid == 0 || p.uid == os.Geteuid() || s.Group != 0 && (p.gid == s.Group || inGroup(p.pid, s.Group)) {
			return nil
		}
		return api.Errorf(api.CodeForbidden, "user %d may not use the daemon", p.uid).
			WithHint("become root or a member of the group virga")
	}
	if r.TLS == nil {
		return api.Errorf(api.CodeForbidden, "the API is not served without TLS")
	}
	return s.admitBearer(r.Header.Get("Authorization"))
}

// inGroup reports whether a process has gid among its further groups.
func inGroup(pid, gid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(status)) {
		if groups, ok := strings.CutPrefix(line, "Groups:"); ok {
			return slices.Contains(strings.Fields(groups), strconv.Itoa(gid))
		}
	}
	return false
}

func writeProblem(w http.ResponseWriter, p *Problem) {
	b, err := json.Marshal(p)
	if err != nil {
		http.Error(w, p.Detail, p.Status)
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(b, '\n'))
}

// notFoundAsProblem answers unknown paths and methods in the shape of every
// other error.
func notFoundAsProblem(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		rec := &statusOnly{header: w.Header()}
		h.ServeHTTP(rec, r)
		p := validationProblem(rec.status, fmt.Sprintf("no call %s %s", r.Method, r.URL.Path), nil)
		if rec.status < 400 { // a redirect to the clean path
			w.WriteHeader(rec.status)
			return
		}
		writeProblem(w, p)
	})
}

// statusOnly takes the status and headers of an answer and drops its body.
type statusOnly struct {
	header http.Header
	status int
}

func (s *statusOnly) Header() http.Header         { return s.header }
func (s *statusOnly) WriteHeader(status int)      { s.status = status }
func (s *statusOnly) Write(p []byte) (int, error) { return len(p), nil }
