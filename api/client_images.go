package api

import (
	"context"
	"io"
	"iter"
	"net/url"
)

// Images lists the images of the node.
func (c *Client) Images(ctx context.Context) ([]Image, error) {
	var list []Image
	return list, c.call(ctx, "GET", "/images", nil, nil, &list)
}

// Image returns an image by name, digest or an unambiguous beginning of its id.
func (c *Client) Image(ctx context.Context, name string) (Image, error) {
	var i Image
	return i, c.call(ctx, "GET", "/images/inspect", url.Values{"name": {name}}, nil, &i)
}

// ImageHistory lists the steps that made an image, the last one first.
func (c *Client) ImageHistory(ctx context.Context, name string) ([]ImageStep, error) {
	var list []ImageStep
	return list, c.call(ctx, "GET", "/images/history", url.Values{"name": {name}}, nil, &list)
}

// Login asks a registry whether it accepts a credential. Nothing is kept.
func (c *Client) Login(ctx context.Context, r LoginRequest) error {
	return c.call(ctx, "POST", "/images/login", nil, r, nil)
}

// RemoveImage takes a name away, and the image with its last name. It returns
// what was removed.
func (c *Client) RemoveImage(ctx context.Context, name string, force bool) ([]string, error) {
	q := flag("force", force)
	q.Set("name", name)
	var out []string
	return out, c.call(ctx, "DELETE", "/images", q, nil, &out)
}

// TagImage gives an image a further name.
func (c *Client) TagImage(ctx context.Context, source, target string) error {
	return c.call(ctx, "POST", "/images/tag", nil, map[string]string{"source": source, "target": target}, nil)
}

// PruneImages removes what no instance uses: images without a name, or all.
func (c *Client) PruneImages(ctx context.Context, p PruneRequest) (PruneReport, error) {
	var r PruneReport
	return r, c.call(ctx, "POST", "/images/prune", nil, p, &r)
}

// Pull fetches an image from a registry and yields its progress; the last
// message carries the image. A transfer that fails ends with an error.
func (c *Client) Pull(ctx context.Context, r PullRequest) iter.Seq2[Progress, error] {
	return c.transfer(ctx, "/images/pull", nil, r, nil)
}

// Push sends an image to a registry.
func (c *Client) Push(ctx context.Context, r PushRequest) iter.Seq2[Progress, error] {
	return c.transfer(ctx, "/images/push", nil, r, nil)
}

// Import reads an archive into the image store under name.
func (c *Client) Import(ctx context.Context, name string, archive io.Reader) iter.Seq2[Progress, error] {
	return c.transfer(ctx, "/images/import", url.Values{"name": {name}}, nil, archive)
}

// Export returns images as a tar of the given format.
func (c *Client) Export(ctx context.Context, names []string, f ExportFormat) (io.ReadCloser, error) {
	return c.download(ctx, "/images/export", url.Values{"name": names, "format": {string(f)}})
}
