package deploy

import (
	"context"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/compose"
)

// images fetches what is missing and returns all images of the plan by the
// names it uses.
func (d *Deployment) images(ctx context.Context, p *compose.Plan) (map[string]api.Image, error) {
	found := map[string]api.Image{}
	for _, w := range p.Workloads {
		ref := w.Spec().Image
		if _, ok := found[ref]; ok {
			continue
		}
		image, err := d.Client.Image(ctx, ref)
		missing := api.CodeOf(err) == api.CodeNotFound
		switch {
		case missing && w.Build:
			return nil, api.Errorf(api.CodeNotSupported, "service %s: virga builds no images, and %s is not there", w.Service, ref).
				InField("services."+w.Service+".build").
				WithHint("build it with another program, and bring it in with `virga image import FILE %s`", ref)
		case missing && w.Pull == "never":
			return nil, api.Errorf(api.CodeNotFound, "service %s: image %s is not there, and pull_policy forbids to fetch it", w.Service, ref).
				WithHint("virga pull %s", ref)
		case missing || err == nil && w.Pull == "always" && !w.Build && ref != api.HelloImage:
			if image, err = d.pull(ctx, ref); err != nil {
				return nil, inService(w.Service, err)
			}
		case err != nil:
			return nil, err
		}
		found[ref] = image
	}
	return found, nil
}

func (d *Deployment) pull(ctx context.Context, ref string) (image api.Image, err error) {
	d.Progress.Say("image", ref, "is fetched")
	for step, err := range d.Client.Pull(ctx, api.PullRequest{Reference: ref}) {
		if err != nil {
			return image, err
		}
		if step.Image != nil {
			image = *step.Image
		}
	}
	return image, nil
}
