package deploy

import (
	"context"

	"github.com/virga-cloud/virga/api"
)

// ensureInstance makes a service of one instance what the plan says. What else
// there is of the service, such as the group it was before, goes first.
func (b *bringUp) ensureInstance(ctx context.Context, restart bool) (replaced bool, err error) {
	r := b.w.Instance
	if err := b.removeOthers(ctx, r.Name, ""); err != nil {
		return false, err
	}
	in := b.now.single(r.Name)
	if in != nil && (b.differs(in.Labels[labelHash], in.Status.Image) || in.Desired.Remove) {
		b.Progress.Say("instance", r.Name, "is replaced")
		// Its anonymous volumes go with it: nothing could find them again.
		if err := gone(b.Client.Remove(ctx, in.ID, true, true)); err != nil {
			return false, err
		}
		in, replaced = nil, true
	}
	switch {
	case in == nil:
		if _, err = b.Client.Create(ctx, *r, !b.options.NoStart); err == nil {
			b.Progress.Say("instance", r.Name, made(b.options.NoStart))
		}
	case b.options.NoStart:
	case restart && !in.Status.Phase.Ended():
		b.Progress.Say("instance", r.Name, "is restarted")
		err = b.Client.Restart(ctx, in.ID, api.StopRequest{})
	case !in.Status.Phase.Ended(), complete(in):
		b.Progress.Say("instance", r.Name, "is up to date")
	default:
		if err = b.Client.Start(ctx, in.ID); err == nil {
			b.Progress.Say("instance", r.Name, "started")
		}
	}
	return replaced, err
}

func made(notStarted bool) string {
	if notStarted {
		return "created"
	}
	return "created and started"
}

// differs reports whether what was made of a hash and an image is to be
// replaced.
func (b *bringUp) differs(hash, image string) bool {
	if b.options.NoRecreate {
		return false
	}
	return b.options.ForceRecreate || hash != b.w.Hash() || b.moved(image)
}

// moved reports whether the image's name stands for another image now.
func (b *bringUp) moved(id string) bool { return id != "" && b.image.ID != "" && id != b.image.ID }

// complete reports whether an instance did what it was for: it ended well, and
// nobody stopped it.
func complete(in *api.Instance) bool {
	s := in.Status
	return s.Phase == api.PhaseStopped && s.ExitCode != nil && *s.ExitCode == 0 && !s.StoppedByUser
}

// removeOthers removes instances and groups of the service but those named.
func (b *bringUp) removeOthers(ctx context.Context, instance, group string) error {
	for _, g := range b.now.groups {
		if serviceOf(g.Labels) == b.w.Service && g.Name != group {
			if err := b.removeBalancers(ctx, b.now, b.w.Service); err != nil {
				return err
			}
			if err := b.removeGroup(ctx, g); err != nil {
				return err
			}
		}
	}
	for _, in := range b.now.instances {
		if serviceOf(in.Labels) == b.w.Service && in.Group == "" && in.Name != instance {
			if err := b.removeInstance(ctx, in); err != nil {
				return err
			}
		}
	}
	return nil
}
