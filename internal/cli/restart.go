package cli

import (
	"fmt"

	"github.com/virga-cloud/virga/internal/command"
)

func restartCommand(a *App) *command.Command {
	var s stopFlags
	cmd := &command.Command{
		Use:      "restart [flags] INSTANCE...",
		Short:    "Stop instances and start them again",
		Example:  "  virga restart web\n  virga restart -t 1 web db",
		Args:     arguments(1, -1),
		Complete: a.completeInstances(anyPhase, -1),
		Values:   map[string]completion{"signal": oneOf(signalWords...)},
	}
	s.register(cmd.Flags())
	cmd.Run = func(cmd *command.Command, args []string) error {
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
