package cli

import "github.com/spf13/cobra"

func renameCommand(a *App) *cobra.Command {
	return &cobra.Command{
		Use:               "rename INSTANCE NAME",
		Short:             "Give an instance another name",
		Example:           "  virga rename web web-old",
		Args:              arguments(2, 2),
		ValidArgsFunction: a.completeInstances(anyPhase, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.api().Rename(cmd.Context(), args[0], args[1])
		},
	}
}
