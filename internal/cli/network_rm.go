package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/virga-cloud/virga/api"
)

func networkRemoveCommand(a *App) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:               "rm [flags] NETWORK...",
		Short:             "Remove networks that no instance uses",
		Example:           "  virga network rm front back",
		Args:              arguments(1, -1),
		ValidArgsFunction: a.completeNetworks,
		RunE: func(cmd *cobra.Command, args []string) error {
			return each(args, func(name string) error {
				err := a.api().RemoveNetwork(cmd.Context(), name)
				if err != nil && !(force && api.CodeOf(err) == api.CodeNotFound) {
					return err
				}
				fmt.Fprintln(a.Out, name)
				return nil
			})
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "a name that does not exist is no error")
	return cmd
}

func networkPruneCommand(a *App) *cobra.Command {
	return prune{
		use: "prune [flags]", short: "Remove networks that no instance uses", example: "  virga network prune -f",
		question: func(bool) string { return "Remove all networks that no instance uses?" },
		do:       func(ctx context.Context, _ bool) (api.PruneReport, error) { return a.api().PruneNetworks(ctx) },
	}.command(a)
}
