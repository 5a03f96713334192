package cli

import (
	"fmt"

	"github.com/virga-cloud/virga/internal/command"
)

func unpauseCommand(a *App) *command.Command {
	return &command.Command{
		Use:      "unpause INSTANCE...",
		Short:    "Thaw frozen instances",
		Example:  "  virga unpause batch",
		Args:     arguments(1, -1),
		Complete: a.completeInstances(paused, -1),
		Run: func(cmd *command.Command, args []string) error {
			return each(args, func(id string) error {
				if err := a.api().Unpause(cmd.Context(), id); err != nil {
					return err
				}
				fmt.Fprintln(a.Out, id)
				return nil
			})
		},
	}
}
