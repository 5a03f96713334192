package image

import (
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/virga-cloud/virga/api"
)

// record is one image of the store. It does not change once it is in a
// snapshot.
type record struct {
	manifest string // digest
	media    string // media type of the manifest
	size     int64  // bytes of the manifest
	image    api.Image
	layers   []layer
	paths    []string // directories of the layers, top first
	composed bool     // the manifest was made here
}

// layer is one layer of a record.
type layer struct {
	DiffID string
	Blob   string // digest of the blob
	Media  string // media type of the blob
	Stored int64  // bytes of the blob
	Size   int64  // bytes of its files
	Tar    int64  // bytes of the uncompressed tar
}

// parseManifest reads the manifest of one image.
func parseManifest(b []byte) (*v1.Manifest, error) {
	var m v1.Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, refuse("the manifest is not valid: %v", err)
	}
	if m.SchemaVersion != 2 {
		return nil, refuse("the manifest has schema version %d; only 2 is supported", m.SchemaVersion)
	}
	if err := checkDigest(m.Config.Digest.String()); err != nil {
		return nil, refuse("the manifest has no configuration").
			WithHint("the name may be of an artifact that is not an image")
	}
	for _, l := range m.Layers {
		if err := checkDigest(l.Digest.String()); err != nil {
			return nil, err
		}
		if l.Size < 0 {
			return nil, refuse("layer %s has a negative size", short(l.Digest.String()))
		}
	}
	return &m, nil
}

// parseConfig reads the configuration of an image.
func parseConfig(b []byte, l Limits) (*v1.ConfigFile, error) {
	var c v1.ConfigFile
	if err := json.Unmarshal(b, &c); err != nil {
		return nil, refuse("the image's configuration is not valid: %v", err)
	}
	if c.RootFS.Type != "layers" && len(c.RootFS.DiffIDs) == 0 {
		return nil, refuse("the image's configuration has no layers").
			WithHint("the name may be of an artifact that is not an image")
	}
	if n := len(c.RootFS.DiffIDs); n > l.Layers {
		return nil, refuse("the image has %d layers; at most %d are supported", n, l.Layers)
	}
	for _, d := range c.RootFS.DiffIDs {
		if err := checkDigest(d.String()); err != nil {
			return nil, err
		}
	}
	return &c, nil
}

// newRecord describes an image of which every part is known.
func newRecord(s *Store, manifest []byte, media string, config []byte, c *v1.ConfigFile, layers []layer) *record {
	r := &record{manifest: digestOf(manifest), media: media, size: int64(len(manifest)), layers: layers}
	r.image = api.Image{
		ID:       digestOf(config),
		Digest:   r.manifest,
		Platform: platformOf(c),
		Labels:   c.Config.Labels,
		Config:   configOf(c.Config),
	}
	if t := c.Created.Time; t.Unix() > 0 {
		r.image.Created = t.UTC()
	}
	seen := make(map[string]bool)
	for _, l := range layers {
		r.image.Layers = append(r.image.Layers, api.ImageLayer{DiffID: l.DiffID, Digest: l.Blob, Size: l.Size})
		if !seen[l.DiffID] {
			r.image.Size += l.Size
		}
		seen[l.DiffID] = true
	}
	// overlayfs refuses a directory that is given twice; the upper one of two
	// equal layers hides the other.
	listed := make(map[string]bool)
	for i := len(layers) - 1; i >= 0; i-- {
		if d := layers[i].DiffID; !listed[d] {
			listed[d] = true
			r.paths = append(r.paths, s.layerPath(d))
		}
	}
	return r
}

func platformOf(c *v1.ConfigFile) string {
	p := c.OS + "/" + c.Architecture
	if c.Variant != "" {
		p += "/" + c.Variant
	}
	return p
}

func configOf(c v1.Config) api.ImageConfig {
	out := api.ImageConfig{
		Entrypoint:   c.Entrypoint,
		Command:      c.Cmd,
		Env:          c.Env,
		WorkingDir:   c.WorkingDir,
		User:         c.User,
		ExposedPorts: keys(c.ExposedPorts),
		Volumes:      keys(c.Volumes),
		StopSignal:   c.StopSignal,
	}
	if h := c.Healthcheck; h != nil && len(h.Test) > 0 {
		out.Health = &api.HealthCheck{
			Test: h.Test, Interval: api.Duration(h.Interval), Timeout: api.Duration(h.Timeout),
			StartPeriod: api.Duration(h.StartPeriod), Retries: h.Retries,
		}
	}
	return out
}

func keys(m map[string]struct{}) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// sizesAttr is the annotation of the index that keeps what the manifest does
// not say of the layers: "<bytes of files>:<bytes of tar>", bottom first.
const (
	sizesAttr = "org.virga.layer-sizes"
	nameAttr  = "org.opencontainers.image.ref.name"
)

func (r *record) sizes() string {
	parts := make([]string, len(r.layers))
	for i, l := range r.layers {
		parts[i] = fmt.Sprintf("%d:%d", l.Size, l.Tar)
	}
	return strings.Join(parts, ",")
}

func parseSizes(s string, layers []layer) error {
	if len(layers) == 0 {
		return nil
	}
	parts := strings.Split(s, ",")
	if len(parts) != len(layers) {
		return fmt.Errorf("%d sizes for %d layers", len(parts), len(layers))
	}
	for i, p := range parts {
		a, b, _ := strings.Cut(p, ":")
		var err error
		if layers[i].Size, err = strconv.ParseInt(a, 10, 64); err != nil {
			return fmt.Errorf("size %q: %w", p, err)
		}
		if layers[i].Tar, err = strconv.ParseInt(b, 10, 64); err != nil {
			return fmt.Errorf("size %q: %w", p, err)
		}
	}
	return nil
}
