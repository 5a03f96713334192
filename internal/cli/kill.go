package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func killCommand(a *App) *cobra.Command {
	var signal string
	cmd := &cobra.Command{
		Use:               "kill [flags] INSTANCE...",
		Short:             "Send a signal to instances",
		Example:           "  virga kill web\n  virga kill -s HUP web",
		Args:              arguments(1, -1),
		ValidArgsFunction: a.completeInstances(running, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return each(args, func(id string) error {
				if err := a.api().Kill(cmd.Context(), id, signal); err != nil {
					return err
				}
				fmt.Fprintln(a.Out, id)
				return nil
			})
		},
	}
	cmd.Flags().StringVarP(&signal, "signal", "s", "SIGKILL", "`signal` by name or number")
	return cmd
}
