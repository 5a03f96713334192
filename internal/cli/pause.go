package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func pauseCommand(a *App) *cobra.Command {
	return &cobra.Command{
		Use:               "pause INSTANCE...",
		Short:             "Freeze instances",
		Example:           "  virga pause batch\n  virga unpause batch",
		Args:              arguments(1, -1),
		ValidArgsFunction: a.completeInstances(running, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
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
