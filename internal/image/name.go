package image

import (
	"regexp"
	"strings"

	"github.com/distribution/reference"

	"github.com/virga-cloud/virga/api"
)

var (
	idPattern     = regexp.MustCompile(`^(sha256:)?[0-9a-f]{4,64}$`)
	digestPattern = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// canonical returns the form in which the store keeps a name: as short as
// Docker shows it (docker.io/library/nginx is nginx) and with a tag or digest.
func canonical(name string) (string, error) {
	if name == "" {
		return "", api.Invalid("name", "an image needs a name")
	}
	named, err := reference.ParseNormalizedNamed(strings.TrimPrefix(name, "index."))
	if err != nil {
		return "", api.Invalid("name", "%.300q is not the name of an image: %v", name, err).
			WithHint("use [HOST[:PORT]/]PATH[:TAG], in lower case, such as debian:12")
	}
	return reference.FamiliarString(reference.TagNameOnly(named)), nil
}

// target returns the canonical form of a name that is to be given to an image.
func target(name string) (string, error) {
	n, err := canonical(name)
	if err != nil {
		return "", err
	}
	if strings.Contains(n, "@") {
		return "", api.Invalid("name", "%q has a digest; only a tag can be given to an image", name)
	}
	return n, nil
}
