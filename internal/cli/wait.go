package cli

import (
	"fmt"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func waitCommand(a *App) *command.Command {
	var state string
	cmd := &command.Command{
		Use:      "wait [flags] INSTANCE...",
		Short:    "Wait until instances have ended and print their exit codes",
		Example:  "  virga wait batch1 batch2\n  virga wait --for healthy db",
		Args:     arguments(1, -1),
		Complete: a.completeInstances(anyPhase, -1),
		Values:   map[string]completion{"for": oneOf("stopped", "running", "healthy", "removed")},
		Run: func(cmd *command.Command, args []string) error {
			switch state {
			case "stopped", "running", "healthy", "removed":
			default:
				return api.Invalid("for", "--for %q: want stopped, running, healthy or removed", state)
			}
			return each(args, func(id string) error {
				code, err := a.api().Wait(cmd.Context(), id, state)
				if err != nil {
					return err
				}
				if state == "stopped" || state == "removed" {
					fmt.Fprintln(a.Out, code)
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&state, "for", "stopped", "`state` to wait for: stopped, running, healthy, removed")
	return cmd
}
