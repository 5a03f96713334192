package cli

import (
	"context"

	"github.com/spf13/pflag"
	"github.com/virga-cloud/virga/internal/command"
)

func rmCommand(a *App) *command.Command {
	var volumes bool
	return removal{
		use: "rm [flags] INSTANCE...", short: "Remove instances", example: "  virga rm web\n  virga rm -fv $(virga ps -aq)",
		complete: a.completeInstances(anyPhase, -1), forced: "kill it first if it runs; ",
		flags: func(f *pflag.FlagSet) {
			f.BoolVarP(&volumes, "volumes", "v", false, "remove its anonymous volumes too")
		},
		do: func(ctx context.Context, id string, force bool) error { return a.api().Remove(ctx, id, force, volumes) },
	}.command(a)
}
