package cli

import (
	"io"
	"os"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func imageExportCommand(a *App) *command.Command {
	var output, format string
	cmd := &command.Command{
		Use:      "export [flags] IMAGE",
		Aliases:  []string{"save"},
		Short:    "Write an image to an archive",
		Example:  "  virga image export -o app.tar app:1\n  virga image export --archive docker app:1 | docker load",
		Args:     arguments(1, 1),
		Complete: a.completeImages,
		Run: func(cmd *command.Command, args []string) (err error) {
			if format != string(api.ExportOCI) && format != string(api.ExportDocker) {
				return api.Invalid("archive", "--archive %q: want oci or docker", format)
			}
			return a.writeArchive(output, func() (io.ReadCloser, error) {
				return a.api().Export(cmd.Context(), args[0], api.ExportFormat(format))
			})
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "`file` to write to (default standard output)")
	cmd.Flags().StringVar(&format, "archive", "oci", "kind of archive: oci or docker")
	return cmd
}

// writeFile writes r to a file that appears under its name only when whole.
func writeFile(path string, r io.Reader) error {
	part := path + ".part"
	f, err := os.Create(part)
	if err != nil {
		return fileError("output", path, err)
	}
	defer os.Remove(part) // gone already when all went well
	if _, err := io.Copy(f, r); err != nil {
		_ = f.Close() // it is thrown away
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(part, path)
}
