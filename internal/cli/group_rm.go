package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/virga-cloud/virga/api"
)

func groupRemoveCommand(a *App, use, short, example string) *cobra.Command {
	var volumes bool
	return removal{
		use: use, short: short, example: example, complete: a.completeGroups(),
		flags: func(f *pflag.FlagSet) {
			f.BoolVarP(&volumes, "volumes", "v", false, "remove the volumes that its instances claimed too")
		},
		do: func(ctx context.Context, name string, _ bool) error { return a.api().RemoveGroup(ctx, name, volumes) },
	}.command(a)
}

func groupProtectCommand(a *App) *cobra.Command {
	var off bool
	cmd := &cobra.Command{
		Use:               "protect [flags] INSTANCE...",
		Short:             "Keep instances when their group scales in",
		Example:           "  virga group protect web-4x7q2a\n  virga group protect --off web-4x7q2a",
		Args:              arguments(1, -1),
		ValidArgsFunction: a.completeInstances(running, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return each(args, func(id string) error {
				keep := !off
				if err := a.api().Update(cmd.Context(), id, api.UpdateRequest{Protected: &keep}); err != nil {
					return err
				}
				fmt.Fprintln(a.Out, id)
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&off, "off", false, "end the protection")
	return cmd
}
