package cli

import "github.com/virga-cloud/virga/internal/command"

func renameCommand(a *App) *command.Command {
	return &command.Command{
		Use:      "rename INSTANCE NAME",
		Short:    "Give an instance another name",
		Example:  "  virga rename web web-old",
		Args:     arguments(2, 2),
		Complete: a.completeInstances(anyPhase, 1),
		Run: func(cmd *command.Command, args []string) error {
			return a.api().Rename(cmd.Context(), args[0], args[1])
		},
	}
}
