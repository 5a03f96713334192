package cli

import (
	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func imageCommand(a *App) *command.Command {
	cmd := &command.Command{
		Use:     "image",
		Short:   "Fetch, list and remove images",
		Example: "  virga image pull debian:12\n  virga image ls",
		Args:    noCommand,
		Run:     func(cmd *command.Command, _ []string) error { return cmd.Help() },
	}
	cmd.Add(
		pullCommand(a), pushCommand(a), imageImportCommand(a), imageExportCommand(a), saveCommand(a), loadCommand(a), imageListCommand(a, "ls [flags] [NAME]"),
		imageRemoveCommand(a, "rm [flags] IMAGE..."), imageTagCommand(a), imageHistoryCommand(a), imagePruneCommand(a),
		inspectOf(a, "image", "  virga image inspect debian:12\n  virga image inspect --format '{{.Config.Command}}' debian:12", a.completeAllImages,
			func(cmd *command.Command, n string) (api.Image, error) { return a.api().Image(cmd.Context(), n) }),
	)
	return cmd
}

func imagesCommand(a *App) *command.Command { return imageListCommand(a, "images [flags] [NAME]") }
func rmiCommand(a *App) *command.Command    { return imageRemoveCommand(a, "rmi [flags] IMAGE...") }
