package cli

import (
	"fmt"

	"github.com/virga-cloud/virga/internal/command"
)

func imageRemoveCommand(a *App, use string) *command.Command {
	var force bool
	cmd := &command.Command{
		Use:      use,
		Short:    "Remove images",
		Example:  "  virga image rm debian:11\n  virga rmi -f $(virga images -q)",
		Args:     arguments(1, -1),
		Complete: a.completeAllImages,
		Run: func(cmd *command.Command, args []string) error {
			return each(args, func(name string) error {
				removed, err := a.api().RemoveImage(cmd.Context(), name, force)
				for _, r := range removed {
					fmt.Fprintln(a.Out, r)
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "remove all its names, even when stopped instances use it")
	return cmd
}
