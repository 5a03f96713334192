package cli

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"github.com/virga-cloud/virga/api"
)

// dockerFile is Docker's configuration as it is on the disk, with what virga
// knows nothing of.
type dockerFile struct {
	path  string
	known dockerConfig
	rest  map[string]json.RawMessage
	auths map[string]json.RawMessage
}

func (a *App) openDockerFile() (*dockerFile, error) {
	f := &dockerFile{rest: map[string]json.RawMessage{}, auths: map[string]json.RawMessage{}}
	var err error
	if f.path, err = a.readDockerConfig(&f.known); err != nil {
		return nil, err
	}
	if _, err := a.readDockerConfig(&f.rest); err != nil {
		return nil, err
	}
	if text, ok := f.rest["auths"]; ok {
		if err := json.Unmarshal(text, &f.auths); err != nil {
			return nil, api.Errorf(api.CodeInvalid, "registry credentials: the auths of %s are not valid: %s", f.path, err)
		}
	}
	if f.rest == nil { // the file says null
		f.rest = map[string]json.RawMessage{}
	}
	if f.auths == nil {
		f.auths = map[string]json.RawMessage{}
	}
	return f, nil
}

// helper is the credential helper that keeps a registry's credential, "" when
// the file itself does.
func (f *dockerFile) helper(host string) string {
	for _, k := range authKeys(host) {
		if h := f.known.CredHelpers[k]; h != "" {
			return h
		}
	}
	return f.known.CredsStore
}

// keep stores the credential of a registry and reports where.
func (f *dockerFile) keep(ctx context.Context, host, user, password string) (where string, err error) {
	keys := authKeys(host)
	if helper := f.helper(host); helper != "" {
		b, err := json.Marshal(map[string]string{"ServerURL": keys[0], "Username": user, "Secret": password})
		if err != nil {
			return "", err
		}
		if _, err := runHelper(ctx, helper, "store", string(b)); err != nil {
			return "", err
		}
		// Docker lists there which registries its helper knows.
		f.auths[keys[0]] = json.RawMessage("{}")
		return "docker-credential-" + helper, f.save()
	}
	for _, k := range keys[1:] {
		delete(f.auths, k) // an older one would be found too
	}
	entry, err := json.Marshal(map[string]string{"auth": base64.StdEncoding.EncodeToString([]byte(user + ":" + password))})
	if err != nil {
		return "", err
	}
	f.auths[keys[0]] = entry
	return f.path, f.save()
}

// forget removes the credential of a registry and reports whether there was one.
func (f *dockerFile) forget(ctx context.Context, host string) (had bool, err error) {
	keys := authKeys(host)
	if helper := f.helper(host); helper != "" {
		out, err := runHelper(ctx, helper, "erase", keys[0])
		if err != nil {
			return false, err
		}
		had = out != nil
	}
	listed := false
	for _, k := range keys {
		if _, ok := f.auths[k]; ok {
			listed = true
			delete(f.auths, k)
		}
	}
	if !listed {
		return had, nil
	}
	return true, f.save()
}

// save replaces the file in one step. It is its owner's alone; what it was a
// link to is replaced and not the link.
func (f *dockerFile) save() error {
	var err error
	if f.rest["auths"], err = json.Marshal(f.auths); err != nil {
		return err
	}
	b, err := json.MarshalIndent(f.rest, "", "\t")
	if err != nil {
		return err
	}
	path := f.path
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return api.Invalid("config", "registry credentials: %s: %s", filepath.Dir(path), reason(err))
	}
	made, err := os.CreateTemp(filepath.Dir(path), ".config.json-*") // 0600
	if err != nil {
		return api.Invalid("config", "registry credentials: %s: %s", filepath.Dir(path), reason(err))
	}
	_, err = made.Write(append(b, '\n'))
	err = errors.Join(err, made.Sync(), made.Close())
	if err == nil {
		err = os.Rename(made.Name(), path)
	}
	if err != nil {
		_ = os.Remove(made.Name())
		return api.Invalid("config", "registry credentials: %s: %s", path, reason(err))
	}
	return nil
}
