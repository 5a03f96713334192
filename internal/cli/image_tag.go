package cli

import "github.com/spf13/cobra"

func imageTagCommand(a *App) *cobra.Command {
	return &cobra.Command{
		Use:               "tag IMAGE NAME",
		Short:             "Give an image a further name",
		Example:           "  virga image tag app:1 registry.example.com/team/app:1",
		Args:              arguments(2, 2),
		ValidArgsFunction: a.completeImages,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.api().TagImage(cmd.Context(), args[0], args[1])
		},
	}
}
