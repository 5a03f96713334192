package cli

import (
	"fmt"

	"github.com/virga-cloud/virga/internal/command"
)

func pauseCommand(a *App) *command.Command {
	return &command.Command{
		Use:      "pause INSTANCE...",
		Short:    "Freeze instances",
		Example:  "  virga pause batch\n  virga unpause batch",
		Args:     arguments(1, -1),
		Complete: a.completeInstances(running, -1),
		Run: func(cmd *command.Command, args []string) error {
			return each(args, func(id string) error {
				if err := a.api().Pause(cmd.Context(), id); err != nil {
					return err
				}
				fmt.Fprintln(a.Out, id)
				return nil
			})
		},
	}
}
