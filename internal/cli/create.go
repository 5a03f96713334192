package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func createCommand(a *App) *command.Command {
	var s specFlags
	var remove bool
	cmd := &command.Command{
		Use:      "create [flags] IMAGE [COMMAND [ARG...]]",
		Short:    "Make an instance without starting it",
		Example:  "  virga create --name db -v data:/var/lib/data -e MODE=prod debian:12 sleep infinity\n  virga start db",
		Args:     arguments(1, -1),
		Complete: a.completeImages,
		Values:   a.specValues(),
	}
	s.register(cmd.Flags())
	removeVar(cmd.Flags(), &remove)
	cmd.Run = func(cmd *command.Command, args []string) error {
		r, err := s.request(a, cmd.Flags(), args)
		if err != nil {
			return err
		}
		r.Spec.AutoRemove = remove
		i, err := s.create(cmd.Context(), a, r, false)
		if err != nil {
			return err
		}
		fmt.Fprintln(a.Out, i.ID)
		return nil
	}
	return cmd
}

// create makes the instance and pulls its image as --pull says.
func (s *specFlags) create(ctx context.Context, a *App, r api.CreateRequest, start bool) (i api.Instance, err error) {
	err = s.make(ctx, a, &r.Spec, func() (string, error) {
		i, err = a.api().Create(ctx, r, start)
		return i.ID, err
	})
	if err != nil {
		return i, err
	}
	for _, w := range i.Status.Warnings {
		a.warn("%s", w)
	}
	return i, nil
}

// make has create make the instance and return its id, which goes into the file
// that was asked for. What only the image tells is filled into the spec first.
func (s *specFlags) make(ctx context.Context, a *App, spec *api.InstanceSpec, create func() (string, error)) error {
	if s.cidFile != "" {
		if _, err := os.Stat(s.cidFile); !errors.Is(err, fs.ErrNotExist) {
			return api.Invalid("cidfile", "--cidfile %s exists already", s.cidFile).
				WithHint("remove it if the instance it names is gone")
		}
	}
	if err := s.storage.borrow(ctx, a, spec); err != nil {
		return err
	}
	var id string
	err := s.withImage(ctx, a, spec.Image, func() (err error) {
		id, err = s.expose(ctx, a, spec, create)
		return err
	})
	if err != nil || s.cidFile == "" {
		return err
	}
	if err := os.WriteFile(s.cidFile, []byte(id), 0o644); err != nil {
		return fileError("cidfile", s.cidFile, err)
	}
	return nil
}

// withImage does what needs an image, and pulls it as --pull says: once more
// after that when it was missing.
func (s *specFlags) withImage(ctx context.Context, a *App, image string, do func() error) error {
	other, err := s.otherPlatform(ctx, a, image)
	if err != nil {
		return err
	}
	if s.pull == "always" || other {
		if err := s.fetch(ctx, a, image); err != nil {
			return err
		}
	}
	err = do()
	if s.pull != "missing" || !missingImage(err) {
		return err
	}
	fmt.Fprintf(a.Err, "image %s is not here yet; pulling it\n", image)
	if err := s.fetch(ctx, a, image); err != nil {
		return err
	}
	return do()
}

// expose publishes what the image exposes, where that was asked for, and calls
// create.
func (s *specFlags) expose(ctx context.Context, a *App, spec *api.InstanceSpec, create func() (string, error)) (string, error) {
	if !s.network.all {
		return create()
	}
	image, err := a.api().Image(ctx, spec.Image)
	if err == nil {
		err = s.network.publishAll(spec, image.Config.ExposedPorts)
	}
	if err != nil {
		return "", err
	}
	return create()
}

// otherPlatform reports whether the image that is here is not of the platform
// that was asked for.
func (s *specFlags) otherPlatform(ctx context.Context, a *App, name string) (bool, error) {
	if s.platform == "" {
		return false, nil
	}
	image, err := a.api().Image(ctx, name)
	if api.CodeOf(err) == api.CodeNotFound {
		return false, nil // told when the instance is made
	}
	if err != nil || image.Platform == s.platform || strings.HasPrefix(image.Platform, s.platform+"/") {
		return false, err
	}
	if s.pull == "never" {
		return true, api.Errorf(api.CodeConflict, "image %s is of platform %s, not %s", name, image.Platform, s.platform).InField("spec.image").
			WithHint("leave out --platform, or --pull never")
	}
	return true, nil
}

func (s *specFlags) fetch(ctx context.Context, a *App, image string) error {
	return a.pull(ctx, api.PullRequest{Reference: image, Platform: s.platform}, s.quiet)
}

// missingImage reports whether a creation failed only for want of its image.
func missingImage(err error) bool {
	e, ok := errors.AsType[*api.Error](err)
	return ok && e.Code == api.CodeNotFound && (strings.HasSuffix(e.Field, "spec.image") || e.Field == "image" || e.Field == "" && strings.HasPrefix(e.Message, "image "))
}
