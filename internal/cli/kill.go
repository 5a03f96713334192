package cli

import (
	"fmt"

	"github.com/virga-cloud/virga/internal/command"
)

func killCommand(a *App) *command.Command {
	var signal string
	cmd := &command.Command{
		Use:      "kill [flags] INSTANCE...",
		Short:    "Send a signal to instances",
		Example:  "  virga kill web\n  virga kill -s HUP web",
		Args:     arguments(1, -1),
		Complete: a.completeInstances(running, -1),
		Values:   map[string]completion{"signal": oneOf(signalWords...)},
		Run: func(cmd *command.Command, args []string) error {
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
