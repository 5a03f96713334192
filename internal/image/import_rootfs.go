package image

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/virga-cloud/virga/api"
)

// defaultPath is what a login shell of a plain system has.
const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// importRootfs makes an image with one layer of a root file system.
func (s *Store) importRootfs(ctx context.Context, name string, r io.Reader, p *progress) (*record, error) {
	t := s.begin()
	defer t.end()
	u, err := t.addLayer(ctx, r, newBudget(s.limits), rootfs)
	if err != nil {
		return nil, err
	}
	if u.dropped > 0 {
		p.say(api.Progress{Action: fmt.Sprintf("left out %d device nodes of /dev", u.dropped)})
	}
	cfg := rootfsConfig(u.shell, s.platform, u.newest)
	rec, err := t.compose(cfg, []layer{u.layer}, "import of a root file system")
	if err != nil {
		return nil, err
	}
	p.say(api.Progress{Action: "syncing"})
	return rec, t.commit(ctx, []*record{rec}, named(name, rec.image.ID))
}

// rootfsConfig is the configuration of a root file system that brings none.
// Its date is that of the newest file, so that the same tar is the same image.
func rootfsConfig(shell, platform string, created time.Time) *v1.ConfigFile {
	parts := strings.SplitN(platform+"//", "/", 4)
	c := &v1.ConfigFile{OS: parts[0], Architecture: parts[1], Variant: parts[2], Created: v1.Time{Time: clampTime(created).UTC()}}
	c.Config.Env = []string{defaultPath}
	if shell != "" {
		c.Config.Cmd = []string{shell}
	}
	return c
}

// compose stores the configuration and the manifest of an image that is made
// here, of layers that are in the store.
func (t *tx) compose(c *v1.ConfigFile, layers []layer, by string) (*record, error) {
	c.RootFS.Type = "layers"
	c.RootFS.DiffIDs = nil
	for _, l := range layers {
		h, err := v1.NewHash(l.DiffID)
		if err != nil {
			return nil, err
		}
		c.RootFS.DiffIDs = append(c.RootFS.DiffIDs, h)
		c.History = append(c.History, v1.History{Created: c.Created, CreatedBy: by})
	}
	cb, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	return t.addManifest(cb, c, layers)
}

// addManifest stores a configuration as it is and a new manifest for it.
func (t *tx) addManifest(config []byte, c *v1.ConfigFile, layers []layer) (*record, error) {
	id, err := t.addBlob(config)
	if err != nil {
		return nil, err
	}
	m := struct {
		SchemaVersion int          `json:"schemaVersion"`
		MediaType     string       `json:"mediaType"`
		Config        descriptor   `json:"config"`
		Layers        []descriptor `json:"layers"`
	}{2, mediaManifest, descriptor{MediaType: mediaConfig, Digest: id, Size: int64(len(config))}, []descriptor{}}
	for _, l := range layers {
		m.Layers = append(m.Layers, descriptor{MediaType: l.Media, Digest: l.Blob, Size: l.Stored})
	}
	mb, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	if _, err := t.addBlob(mb); err != nil {
		return nil, err
	}
	r := newRecord(t.s, mb, mediaManifest, config, c, layers)
	r.composed = true
	return r, nil
}

func named(name, id string) map[string]string {
	if name == "" {
		return nil
	}
	return map[string]string{name: id}
}
