package cli

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func rmCommand(a *App) *cobra.Command {
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
