package cli

import (
	"github.com/spf13/cobra"
	"github.com/virga-cloud/virga/api"
)

func imageCommand(a *App) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "image",
		Short:   "Fetch, list and remove images",
		Example: "  virga image pull debian:12\n  virga image ls",
		Args:    noCommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		pullCommand(a), pushCommand(a), imageImportCommand(a), imageExportCommand(a), imageListCommand(a, "ls [flags] [NAME]"),
		imageRemoveCommand(a, "rm [flags] IMAGE..."), imageTagCommand(a), imagePruneCommand(a),
		inspectOf(a, "image", "  virga image inspect debian:12\n  virga image inspect --format '{{.Config.Command}}' debian:12", a.completeAllImages,
			func(cmd *cobra.Command, n string) (api.Image, error) { return a.api().Image(cmd.Context(), n) }),
	)
	return cmd
}

func imagesCommand(a *App) *cobra.Command { return imageListCommand(a, "images [flags] [NAME]") }
func rmiCommand(a *App) *cobra.Command    { return imageRemoveCommand(a, "rmi [flags] IMAGE...") }
