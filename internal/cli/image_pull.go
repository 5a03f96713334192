package cli

import (
	"context"
	"fmt"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func pullCommand(a *App) *command.Command {
	var r api.PullRequest
	var quiet bool
	cmd := &command.Command{
		Use:     "pull [flags] IMAGE",
		Short:   "Fetch an image from a registry",
		Long:    "Fetch an image from a registry. Credentials are those of Docker's config.json.",
		Example: "  virga pull debian:12\n  virga pull --platform linux/arm64 localhost:5000/app@sha256:…",
		Args:    arguments(1, 1),
		Run: func(cmd *command.Command, args []string) error {
			r.Reference = args[0]
			if err := a.pull(cmd.Context(), r, quiet); err != nil {
				return err
			}
			fmt.Fprintln(a.Out, r.Reference)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&r.Platform, "platform", "", "`os/arch[/variant]` (default the node's)")
	f.BoolVar(&r.Insecure, "insecure", false, "allow plain HTTP to the registry")
	f.BoolVarP(&quiet, "quiet", "q", false, "do not show progress")
	return cmd
}

// pull fetches an image and shows how it goes.
func (a *App) pull(ctx context.Context, r api.PullRequest, quiet bool) error {
	auth, err := a.registryAuth(ctx, r.Reference)
	if err != nil {
		return err
	}
	r.Auth = auth
	_, err = a.follow(a.api().Pull(ctx, r), quiet)
	return err
}
