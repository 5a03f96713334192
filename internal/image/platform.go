package image

import (
	"runtime"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/virga-cloud/virga/api"
)

func nodePlatform() string {
	if runtime.GOARCH == "arm" {
		return "linux/arm/v7"
	}
	return "linux/" + runtime.GOARCH
}

// parsePlatform reads os/arch[/variant].
func parsePlatform(s string) (v1.Platform, error) {
	parts := strings.Split(s, "/")
	if len(parts) < 2 || len(parts) > 3 || parts[0] == "" || parts[1] == "" {
		return v1.Platform{}, api.Invalid("platform", "%.100q is not a platform", s).
			WithHint("use OS/ARCH[/VARIANT], such as linux/amd64 or linux/arm/v7")
	}
	p := v1.Platform{OS: parts[0], Architecture: parts[1]}
	if len(parts) == 3 {
		p.Variant = parts[2]
	}
	return p, nil
}

// choose picks the manifest of an index that runs on the platform. An index
// with one image that says nothing of its platform is taken as it is.
func choose(index *v1.IndexManifest, want v1.Platform) (v1.Descriptor, error) {
	var fallback *v1.Descriptor
	var have []string
	for i, d := range index.Manifests {
		if d.Annotations["vnd.docker.reference.type"] == "attestation-manifest" {
			continue
		}
		if d.Platform == nil {
			if fallback == nil {
				fallback = &index.Manifests[i]
			}
			continue
		}
		p := *d.Platform
		have = append(have, p.OS+"/"+p.Architecture+strings.TrimSuffix("/"+p.Variant, "/"))
		if p.OS != want.OS || p.Architecture != want.Architecture {
			continue
		}
		if p.Variant == want.Variant || want.Variant == "" {
			return d, nil
		}
		if p.Variant == "" || fallback == nil {
			fallback = &index.Manifests[i]
		}
	}
	if fallback != nil {
		return *fallback, nil
	}
	e := api.Errorf(api.CodeNotFound, "the image has nothing for %s", want.String())
	if len(have) > 0 {
		e = e.WithHint("it has: %s", strings.Join(have[:min(len(have), 20)], ", "))
	}
	return v1.Descriptor{}, e
}
