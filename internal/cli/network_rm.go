package cli

import (
	"context"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func networkRemoveCommand(a *App) *command.Command {
	return removal{
		use: "rm [flags] NETWORK...", short: "Remove networks that no instance uses", example: "  virga network rm front back",
		complete: a.completeNetworks(),
		do:       func(ctx context.Context, name string, _ bool) error { return a.api().RemoveNetwork(ctx, name) },
	}.command(a)
}

func networkPruneCommand(a *App) *command.Command {
	return prune{
		use: "prune [flags]", short: "Remove networks that no instance uses", example: "  virga network prune -f",
		question: func(bool) string { return "Remove all networks that no instance uses?" },
		do: func(ctx context.Context, r api.PruneRequest) (api.PruneReport, error) {
			return a.api().PruneNetworks(ctx, r)
		},
	}.command(a)
}
