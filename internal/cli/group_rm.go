package cli

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"
	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func groupRemoveCommand(a *App, use, short, example string) *command.Command {
	var volumes bool
	return removal{
		use: use, short: short, example: example, complete: a.completeGroups(),
		flags: func(f *pflag.FlagSet) {
			f.BoolVarP(&volumes, "volumes", "v", false, "remove the volumes that its instances claimed too")
		},
		do: func(ctx context.Context, name string, _ bool) error { return a.api().RemoveGroup(ctx, name, volumes) },
	}.command(a)
}

func groupProtectCommand(a *App) *command.Command {
	var off bool
	cmd := &command.Command{
		Use:      "protect [flags] INSTANCE...",
		Short:    "Keep instances when their group scales in",
		Example:  "  virga group protect web-4x7q2a\n  virga group protect --off web-4x7q2a",
		Args:     arguments(1, -1),
		Complete: a.completeInstances(running, -1),
		Run: func(cmd *command.Command, args []string) error {
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
