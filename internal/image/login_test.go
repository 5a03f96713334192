package image

import (
	"net/http"
	"strings"
	"testing"

	"github.com/virga-cloud/virga/api"
)

// locked asks for the credential me:right.
func locked(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); !ok || user != "me" || password != "right" {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func TestLogin(t *testing.T) {
	host, open := startRegistry(t, locked), startRegistry(t, nil)
	none := startRegistry(t, func(http.Handler) http.Handler { return http.NotFoundHandler() })
	s := openStore(t)
	me := func(password string) api.RegistryAuth {
		return api.RegistryAuth{Username: "me", Password: api.Secret(password)}
	}
	for name, test := range map[string]struct {
		registry string
		auth     api.RegistryAuth
		code     api.Code
		want     string
	}{
		"right":             {host, me("right"), "", ""},
		"wrong":             {host, me("wrong"), api.CodeForbidden, "does not accept"},
		"nobody is asked":   {open, me("any"), "", ""},
		"no registry":       {none, me("right"), api.CodeNotFound, "/v2/"},
		"nobody there":      {"127.0.0.1:1", me("right"), api.CodeUnavailable, "127.0.0.1:1"},
		"not a name":        {"a b/c", me("right"), api.CodeInvalid, "registry"},
		"empty":             {"", me("right"), api.CodeInvalid, "registry"},
		"nothing to accept": {host, api.RegistryAuth{}, api.CodeInvalid, "credential"},
	} {
		t.Run(name, func(t *testing.T) {
			err := s.Login(t.Context(), api.LoginRequest{Registry: test.registry, Auth: test.auth})
			if api.CodeOf(err) != test.code || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v (%s), want %s", err, api.CodeOf(err), test.code)
			}
			if err != nil && strings.Contains(err.Error(), "wrong") {
				t.Errorf("the error tells the password: %v", err)
			}
		})
	}
}
