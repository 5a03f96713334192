package image

import v1 "github.com/google/go-containerregistry/pkg/v1"

// layersOf pairs the blobs of a manifest with the diff ids of a configuration.
func layersOf(m *v1.Manifest, c *v1.ConfigFile) ([]layer, error) {
	if len(m.Layers) != len(c.RootFS.DiffIDs) {
		return nil, refuse("the manifest has %d layers, the configuration %d", len(m.Layers), len(c.RootFS.DiffIDs))
	}
	layers := make([]layer, len(m.Layers))
	for i, l := range m.Layers {
		layers[i] = layer{
			DiffID: c.RootFS.DiffIDs[i].String(),
			Blob:   l.Digest.String(),
			Media:  string(l.MediaType),
			Stored: l.Size,
		}
	}
	return layers, nil
}
