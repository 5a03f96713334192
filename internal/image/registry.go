package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/virga-cloud/virga/api"
)

// registry is one repository of a registry, ready to be read.
type registry struct {
	repo   name.Repository
	client *http.Client
	scheme string
	limits Limits
}

// parseReference reads the name of an image on a registry, with Docker's
// defaults: nginx is docker.io/library/nginx:latest.
func parseReference(ref string, insecure bool) (name.Reference, error) {
	var opts []name.Option
	if insecure {
		opts = append(opts, name.Insecure)
	}
	if _, err := canonical(ref); err != nil {
		return nil, err
	}
	r, err := name.ParseReference(ref, opts...)
	if err != nil {
		return nil, api.Invalid("reference", "%.300q is not the name of an image: %v", ref, err)
	}
	return r, nil
}

// authenticator makes a registry's credential of a request's.
func authenticator(a *api.RegistryAuth) authn.Authenticator {
	switch {
	case a == nil || *a == api.RegistryAuth{}:
		return authn.Anonymous
	case a.Token != "" && a.Username == "":
		return &authn.Bearer{Token: string(a.Token)}
	case a.Token != "":
		return authn.FromConfig(authn.AuthConfig{Username: a.Username, IdentityToken: string(a.Token)})
	}
	return &authn.Basic{Username: a.Username, Password: string(a.Password)}
}

// connect logs in to the registry of a reference.
func (s *Store) connect(ctx context.Context, ref name.Reference, auth *api.RegistryAuth, insecure bool) (*registry, error) {
	repo := ref.Context()
	rt, err := transport.NewWithContext(ctx, repo.Registry, authenticator(auth), s.guard(insecure), []string{repo.Scope(transport.PullScope)})
	if err != nil {
		return nil, registryError(ref.Name(), err)
	}
	return &registry{repo: repo, client: &http.Client{Transport: rt}, scheme: repo.Scheme(), limits: s.limits}, nil
}

// guard is the transport that all traffic with registries takes.
func (s *Store) guard(insecure bool) http.RoundTripper {
	rt := s.transport
	if rt == nil {
		rt = http.DefaultTransport
	}
	return &plainGuard{inner: rt, allow: insecure}
}

// plainGuard refuses plain HTTP to other hosts than this one, also where a
// registry redirects to it.
type plainGuard struct {
	inner http.RoundTripper
	allow bool
}

func (g *plainGuard) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "http" && !g.allow && !loopback(r.URL.Hostname()) {
		return nil, api.Errorf(api.CodeForbidden, "plain HTTP to %s is not allowed", r.URL.Host).
			WithHint("ask for it with --insecure if you trust the network")
	}
	return g.inner.RoundTrip(r)
}

func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

var acceptManifests = strings.Join([]string{
	string(types.OCIManifestSchema1), string(types.OCIImageIndex),
	string(types.DockerManifestSchema2), string(types.DockerManifestList),
}, ", ")

// get asks for a part of the repository. The caller closes the body.
func (g *registry) get(ctx context.Context, path string, header http.Header, codes ...int) (*http.Response, error) {
	url := fmt.Sprintf("%s://%s/v2/%s/%s", g.scheme, g.repo.RegistryStr(), g.repo.RepositoryStr(), path)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	resp, err := g.client.Do(req)
	if err != nil {
		return nil, err
	}
	if err := transport.CheckError(resp, codes...); err != nil {
		resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

// manifest fetches a manifest or index by tag or digest. The digest, when
// known, is verified.
func (g *registry) manifest(ctx context.Context, id string) (b []byte, media types.MediaType, err error) {
	err = retry(ctx, func() error {
		resp, err := g.get(ctx, "manifests/"+id, http.Header{"Accept": {acceptManifests}}, http.StatusOK)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if b, err = g.small(resp.Body, "manifest"); err != nil {
			return err
		}
		want := id
		if !digestPattern.MatchString(id) {
			want = resp.Header.Get("Docker-Content-Digest")
		}
		if got := digestOf(b); digestPattern.MatchString(want) && got != want {
			return wrongDigest("manifest", want, got)
		}
		media = types.MediaType(strings.TrimSpace(strings.SplitN(resp.Header.Get("Content-Type"), ";", 2)[0]))
		return nil
	})
	return b, media, err
}

// blob fetches a small blob.
func (g *registry) blob(ctx context.Context, digest string) (b []byte, err error) {
	err = retry(ctx, func() error {
		resp, err := g.get(ctx, "blobs/"+digest, nil, http.StatusOK)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if b, err = g.small(resp.Body, "configuration"); err != nil {
			return err
		}
		if got := digestOf(b); got != digest {
			return wrongDigest("configuration", digest, got)
		}
		return nil
	})
	return b, err
}

func (g *registry) small(r io.Reader, what string) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, g.limits.Manifest+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > g.limits.Manifest {
		return nil, refuse("the %s has more than %d bytes", what, g.limits.Manifest)
	}
	return b, nil
}

// refusedBy reports whether a registry said that who asks may not.
func refusedBy(err error) bool {
	t, ok := errors.AsType[*transport.Error](err)
	return ok && (t.StatusCode == http.StatusUnauthorized || t.StatusCode == http.StatusForbidden)
}

// registryError says what a failure of a registry means to who asked for ref.
func registryError(ref string, err error) error {
	if e, ok := asRefusal(err); ok {
		return e
	}
	if d, ok := errors.AsType[*diskError](err); ok {
		return d.err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if t, ok := errors.AsType[*transport.Error](err); ok {
		switch {
		case t.StatusCode == http.StatusNotFound:
			return api.Errorf(api.CodeNotFound, "the registry has no %s", ref).WithHint("check the spelling of name and tag")
		case refusedBy(t):
			return api.Errorf(api.CodeForbidden, "the registry does not allow this for %s", ref).
				WithHint("log in first (virga login), or check the name: some registries say this of what does not exist")
		case t.StatusCode == http.StatusTooManyRequests:
			return api.Errorf(api.CodeUnavailable, "the registry asks for fewer requests (%s)", ref).WithHint("wait, or log in")
		case t.StatusCode < 500:
			return refuse("the registry refuses %s: %v", ref, t)
		}
		return api.Errorf(api.CodeUnavailable, "the registry fails for %s: status %d", ref, t.StatusCode)
	}
	e := api.Errorf(api.CodeUnavailable, "the registry of %s cannot be used: %v", ref, err)
	if strings.Contains(err.Error(), "server gave HTTP response to HTTPS client") {
		return e.WithHint("it speaks plain HTTP: ask for it with --insecure if you trust the network")
	}
	return e.WithHint("check the network, and the name of the registry")
}
