package cli

import "github.com/virga-cloud/virga/internal/command"

func imageTagCommand(a *App) *command.Command {
	return &command.Command{
		Use:      "tag IMAGE NAME",
		Short:    "Give an image a further name",
		Example:  "  virga image tag app:1 registry.example.com/team/app:1",
		Args:     arguments(2, 2),
		Complete: a.completeImages,
		Run: func(cmd *command.Command, args []string) error {
			return a.api().TagImage(cmd.Context(), args[0], args[1])
		},
	}
}
