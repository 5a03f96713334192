package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func restartCommand(a *App) *cobra.Command {
	var s stopFlags
	cmd := &cobra.Command{
		Use:               "restart [flags] INSTANCE...",
		Short:             "Stop instances and start them again",
		Example:           "  virga restart web\n  virga restart -t 1 web db",
		Args:              arguments(1, -1),
		ValidArgsFunction: a.completeInstances(anyPhase, -1),
	}
	s.register(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return each(args, func(id string) error {
			if err := a.api().Restart(cmd.Context(), id, s.request(cmd.Flags())); err != nil {
				return err
			}
			fmt.Fprintln(a.Out, id)
			return nil
		})
	}
	return cmd
}
