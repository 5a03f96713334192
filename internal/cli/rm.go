package cli

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/virga-cloud/virga/api"
)

func rmCommand(a *App) *cobra.Command {
	var force, volumes bool
	cmd := &cobra.Command{
		Use:               "rm [flags] INSTANCE...",
		Short:             "Remove instances",
		Example:           "  virga rm web\n  virga rm -fv $(virga ps -aq)",
		Args:              arguments(1, -1),
		ValidArgsFunction: a.completeInstances(anyPhase, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return each(args, func(id string) error {
				err := a.api().Remove(cmd.Context(), id, force, volumes)
				if force && api.CodeOf(err) == api.CodeNotFound {
					a.warn("%s", err)
					return nil
				}
				if err != nil {
					return err
				}
				fmt.Fprintln(a.Out, id)
				return nil
			})
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&force, "force", "f", false, "kill it first if it runs; a name that does not exist is no error")
	f.BoolVarP(&volumes, "volumes", "v", false, "remove its anonymous volumes too")
	return cmd
}
