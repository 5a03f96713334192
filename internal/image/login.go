package image

import (
	"context"
	"net/http"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/virga-cloud/virga/api"
)

// Login asks a registry whether it accepts a credential. A registry that asks
// nobody for one accepts any.
func (s *Store) Login(ctx context.Context, r api.LoginRequest) error {
	var opts []name.Option
	if r.Insecure {
		opts = append(opts, name.Insecure)
	}
	reg, err := name.NewRegistry(r.Registry, append(opts, name.StrictValidation)...)
	if err != nil {
		return api.Invalid("registry", "%.300q is not the name of a registry", r.Registry).WithHint("write HOST or HOST:PORT, such as registry.example.com:5000")
	}
	if r.Auth == (api.RegistryAuth{}) {
		return api.Invalid("auth", "no credential was given for %s", r.Registry)
	}
	rt, err := transport.NewWithContext(ctx, reg, authenticator(&r.Auth), s.guard(r.Insecure), nil)
	if err != nil {
		return loginError(r.Registry, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, reg.Scheme()+"://"+reg.RegistryStr()+"/v2/", nil)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Transport: rt}).Do(req)
	if err != nil {
		return loginError(r.Registry, err)
	}
	defer resp.Body.Close()
	if err := transport.CheckError(resp, http.StatusOK); err != nil {
		return loginError(r.Registry, err)
	}
	return nil
}

func loginError(registry string, err error) error {
	e := registryError(registry, err)
	if api.CodeOf(e) == api.CodeForbidden && refusedBy(err) {
		return api.Errorf(api.CodeForbidden, "the registry %s does not accept the user name and password", registry).
			WithHint("check them; where two factors are on, a token takes the place of the password")
	}
	if api.CodeOf(e) == api.CodeNotFound {
		return api.Errorf(api.CodeNotFound, "%s is no registry: it has no /v2/", registry).WithHint("check the spelling of host and port")
	}
	return e
}
