package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func unpauseCommand(a *App) *cobra.Command {
	return &cobra.Command{
		Use:               "unpause INSTANCE...",
		Short:             "Thaw frozen instances",
		Example:           "  virga unpause batch",
		Args:              arguments(1, -1),
		ValidArgsFunction: a.completeInstances(paused, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
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
