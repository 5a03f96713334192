package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"

	"github.com/virga-cloud/virga/api"
)

// dockerConfig is the part of Docker's config.json that holds credentials.
type dockerConfig struct {
	Auths       map[string]dockerAuth `json:"auths"`
	CredsStore  string                `json:"credsStore"`
	CredHelpers map[string]string     `json:"credHelpers"`
}

type dockerAuth struct {
	Auth          string `json:"auth"` // base64 of user:password
	Username      string `json:"username"`
	Password      string `json:"password"`
	IdentityToken string `json:"identitytoken"`
	RegistryToken string `json:"registrytoken"`
}

// hubKey is how Docker's own registry is called in config.json.
const hubKey = "https://index.docker.io/v1/"

// registryAuth finds the credential for the registry of an image reference in
// Docker's configuration, or nil.
func (a *App) registryAuth(ctx context.Context, reference string) (*api.RegistryAuth, error) {
	dir := a.env("DOCKER_CONFIG")
	if dir == "" {
		dir = filepath.Join(a.env("HOME"), ".docker")
	}
	path := filepath.Join(dir, "config.json")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, api.Errorf(api.CodeInvalid, "registry credentials: %s: %s", path, reason(err))
	}
	var c dockerConfig
	if err := json.Unmarshal(b, &c); err != nil {
		return nil, api.Errorf(api.CodeInvalid, "registry credentials: %s is not valid: %s", path, err)
	}
	return c.find(ctx, registryOf(reference))
}

// registryOf is the host of an image reference.
func registryOf(reference string) string {
	host, _, ok := strings.Cut(reference, "/")
	if ok && (strings.ContainsAny(host, ".:") || host == "localhost") {
		if host == "index.docker.io" {
			return "docker.io"
		}
		return host
	}
	return "docker.io"
}

func (c dockerConfig) find(ctx context.Context, host string) (*api.RegistryAuth, error) {
	keys := []string{host, "https://" + host, "http://" + host, "https://" + host + "/v1/", "https://" + host + "/v2/"}
	if host == "docker.io" {
		keys = append([]string{hubKey, "index.docker.io", "registry-1.docker.io"}, keys...)
	}
	for _, k := range keys {
		if helper := c.CredHelpers[k]; helper != "" {
			return askHelper(ctx, helper, k)
		}
	}
	for _, k := range keys {
		auth, ok := c.Auths[k]
		if !ok {
			continue
		}
		if r, err := auth.credential(k); r != nil || err != nil {
			return r, err
		}
	}
	if c.CredsStore != "" {
		return askHelper(ctx, c.CredsStore, keys[0])
	}
	return nil, nil
}

// credential decodes an entry; nil when the secret lies elsewhere.
func (d dockerAuth) credential(key string) (*api.RegistryAuth, error) {
	if token := first(d.IdentityToken, d.RegistryToken); token != "" {
		return &api.RegistryAuth{Username: d.Username, Token: api.Secret(token)}, nil
	}
	user, password := d.Username, d.Password
	if d.Auth != "" {
		b, err := base64.StdEncoding.DecodeString(d.Auth)
		var ok bool
		if user, password, ok = strings.Cut(strings.TrimRight(string(b), "\x00"), ":"); err != nil || !ok {
			return nil, api.Errorf(api.CodeInvalid, "registry credentials: the entry of %s is not valid", key)
		}
	}
	if user == "" {
		return nil, nil
	}
	return &api.RegistryAuth{Username: user, Password: api.Secret(password)}, nil
}

// askHelper gets a credential from docker-credential-NAME; nil when it has none.
func askHelper(ctx context.Context, name, key string) (*api.RegistryAuth, error) {
	if name != filepath.Base(name) {
		return nil, api.Errorf(api.CodeInvalid, "registry credentials: %q is not the name of a helper", name)
	}
	cmd := osexec.CommandContext(ctx, "docker-credential-"+name, "get")
	cmd.Stdin = strings.NewReader(key)
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		if strings.Contains(out.String(), "not found") { // the helpers' protocol says so on stdout
			return nil, nil
		}
		return nil, api.Errorf(api.CodeUnavailable, "registry credentials: docker-credential-%s: %s", name, err).
			WithHint("check the credential helper in Docker's config.json")
	}
	var got struct{ Username, Secret string }
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		return nil, api.Errorf(api.CodeInvalid, "registry credentials: docker-credential-%s answered with something else than JSON", name)
	}
	if got.Username == "<token>" {
		return &api.RegistryAuth{Token: api.Secret(got.Secret)}, nil
	}
	return &api.RegistryAuth{Username: got.Username, Password: api.Secret(got.Secret)}, nil
}
