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
	var c dockerConfig
	if _, err := a.readDockerConfig(&c); err != nil {
		return nil, err
	}
	return c.find(ctx, registryOf(reference))
}

// readDockerConfig reads Docker's configuration into c, which stays as it is
// when there is none, and returns its path.
func (a *App) readDockerConfig(c any) (path string, err error) {
	dir := a.env("DOCKER_CONFIG")
	if dir == "" {
		dir = filepath.Join(a.env("HOME"), ".docker")
	}
	path = filepath.Join(dir, "config.json")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	if err != nil {
		return path, api.Errorf(api.CodeInvalid, "registry credentials: %s: %s", path, reason(err))
	}
	if err := json.Unmarshal(b, c); err != nil {
		return path, api.Errorf(api.CodeInvalid, "registry credentials: %s is not valid: %s", path, err)
	}
	return path, nil
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

// authKeys are the names that a registry may have in config.json. The first is
// the one that Docker writes.
func authKeys(host string) []string {
	keys := []string{host, "https://" + host, "http://" + host, "https://" + host + "/v1/", "https://" + host + "/v2/"}
	if host == "docker.io" {
		keys = append([]string{hubKey, "index.docker.io", "registry-1.docker.io"}, keys...)
	}
	return keys
}

func (c dockerConfig) find(ctx context.Context, host string) (*api.RegistryAuth, error) {
	keys := authKeys(host)
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

// runHelper has docker-credential-NAME do get, store or erase. What it
// answered is nil when it knows no such credential.
func runHelper(ctx context.Context, name, action, input string) ([]byte, error) {
	if name != filepath.Base(name) {
		return nil, api.Errorf(api.CodeInvalid, "registry credentials: %q is not the name of a helper", name)
	}
	cmd := osexec.CommandContext(ctx, "docker-credential-"+name, action)
	cmd.Stdin = strings.NewReader(input)
	var out bytes.Buffer
	cmd.Stdout = &out
	err := cmd.Run()
	switch {
	case err == nil:
		return append(out.Bytes(), '\n'), nil
	case strings.Contains(out.String(), "not found"): // the helpers' protocol says so on stdout
		return nil, nil
	}
	return nil, api.Errorf(api.CodeUnavailable, "registry credentials: docker-credential-%s: %s", name, err).
		WithHint("check the credential helper in Docker's config.json")
}

// askHelper gets a credential from docker-credential-NAME; nil when it has none.
func askHelper(ctx context.Context, name, key string) (*api.RegistryAuth, error) {
	out, err := runHelper(ctx, name, "get", key)
	if out == nil || err != nil {
		return nil, err
	}
	var got struct{ Username, Secret string }
	if err := json.Unmarshal(out, &got); err != nil {
		return nil, api.Errorf(api.CodeInvalid, "registry credentials: docker-credential-%s answered with something else than JSON", name)
	}
	if got.Username == "<token>" {
		return &api.RegistryAuth{Token: api.Secret(got.Secret)}, nil
	}
	return &api.RegistryAuth{Username: got.Username, Password: api.Secret(got.Secret)}, nil
}
