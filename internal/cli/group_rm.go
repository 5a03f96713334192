package cli

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/virga-cloud/virga/api"
)

func groupRemoveCommand(a *App) *cobra.Command {
	var force, volumes bool
	cmd := &cobra.Command{
		Use:               "rm [flags] GROUP...",
		Short:             "Remove groups with their instances",
		Example:           "  virga group rm web\n  virga group rm -v db",
		Args:              arguments(1, -1),
		ValidArgsFunction: a.completeGroups,
		RunE: func(cmd *cobra.Command, args []string) error {
			return each(args, func(name string) error {
				err := a.api().RemoveGroup(cmd.Context(), name, volumes)
				if force && api.CodeOf(err) == api.CodeNotFound {
					a.warn("%s", err)
					return nil
				}
				if err != nil {
					return err
				}
				fmt.Fprintln(a.Out, name)
				return nil
			})
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&force, "force", "f", false, "a name that does not exist is no error")
	f.BoolVarP(&volumes, "volumes", "v", false, "remove the volumes that its instances claimed too")
	return cmd
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
