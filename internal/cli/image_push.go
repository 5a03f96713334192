package cli

import (
	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func pushCommand(a *App) *command.Command {
	var insecure, quiet bool
	cmd := &command.Command{
		Use:      "push [flags] IMAGE [REFERENCE]",
		Short:    "Send an image to a registry",
		Example:  "  virga push localhost:5000/app:1\n  virga push app:1 registry.example.com/team/app:1",
		Args:     arguments(1, 2),
		Complete: a.completeImages,
		Run: func(cmd *command.Command, args []string) error {
			r := api.PushRequest{Image: args[0], Insecure: insecure}
			target := args[0]
			if len(args) == 2 {
				r.Reference, target = args[1], args[1]
			}
			auth, err := a.registryAuth(cmd.Context(), target)
			if err != nil {
				return err
			}
			r.Auth = auth
			_, err = a.follow(a.api().Push(cmd.Context(), r), quiet)
			return err
		},
	}
	f := cmd.Flags()
	f.BoolVar(&insecure, "insecure", false, "allow plain HTTP to the registry")
	f.BoolVarP(&quiet, "quiet", "q", false, "do not show progress")
	return cmd
}
