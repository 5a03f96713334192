package image

import (
	"context"
	"encoding/json"
	"path"
	"strings"
)

// dockerManifest is one image in the manifest.json of a docker save archive.
type dockerManifest struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// dockerImages reads the archive of docker save. Layers are stored compressed,
// so the manifest is made anew; the configuration, and with it the id, stays.
func (a *archive) dockerImages(ctx context.Context, b []byte) ([]found, error) {
	var manifests []dockerManifest
	if err := json.Unmarshal(b, &manifests); err != nil {
		return nil, refuse("manifest.json is not valid: %v", err)
	}
	var out []found
	for _, m := range manifests {
		f, err := a.dockerImage(ctx, m)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	if len(out) == 0 {
		return nil, refuse("the archive holds no image")
	}
	return out, nil
}

func (a *archive) dockerImage(ctx context.Context, m dockerManifest) (found, error) {
	cb, ok := a.small[a.find(m.Config)]
	if !ok {
		return found{}, refuse("the archive is incomplete: configuration %.200q is missing", m.Config)
	}
	base := strings.TrimSuffix(strings.TrimPrefix(path.Base(m.Config), "sha256:"), ".json")
	if want := "sha256:" + base; digestPattern.MatchString(want) && digestOf(cb) != want {
		return found{}, wrongDigest("configuration", want, digestOf(cb))
	}
	c, err := parseConfig(cb, a.budget.limits)
	if err != nil {
		return found{}, err
	}
	if len(m.Layers) != len(c.RootFS.DiffIDs) {
		return found{}, refuse("the archive lists %d layers, the configuration %d", len(m.Layers), len(c.RootFS.DiffIDs))
	}
	layers := make([]layer, len(m.Layers))
	for i, n := range m.Layers {
		l, err := a.layerAt(ctx, n)
		if err != nil {
			return found{}, err
		}
		if want := c.RootFS.DiffIDs[i].String(); l.DiffID != want {
			return found{}, wrongDigest("layer", want, l.DiffID)
		}
		layers[i] = l
	}
	r, err := a.tx.addManifest(cb, c, layers)
	if err != nil {
		return found{}, err
	}
	f := found{record: r}
	for _, t := range m.RepoTags {
		if n, err := target(t); err == nil {
			f.names = append(f.names, n)
		}
	}
	return f, nil
}
