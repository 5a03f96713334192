package cli

import (
	"io"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func imageExportCommand(a *App) *command.Command {
	var output archiveOutput
	var format string
	cmd := &command.Command{
		Use:      "export [flags] IMAGE...",
		Short:    "Write images to an archive",
		Example:  "  virga image export -o app.tar app:1\n  virga image export -o all.tar app:1 db:2\n  virga image export --archive docker app:1 | docker load",
		Args:     arguments(1, -1),
		Complete: a.completeImages,
		Run: func(cmd *command.Command, args []string) (err error) {
			if format != string(api.ExportOCI) && format != string(api.ExportDocker) {
				return api.Invalid("archive", "--archive %q: want oci or docker", format)
			}
			return output.write(a, func() (io.ReadCloser, error) {
				return a.api().Export(cmd.Context(), args, api.ExportFormat(format))
			})
		},
	}
	output.register(cmd.Flags())
	cmd.Flags().StringVar(&format, "archive", "oci", "kind of archive: oci or docker")
	return cmd
}
