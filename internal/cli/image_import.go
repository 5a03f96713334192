package cli

import (
	"fmt"
	"io"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func imageImportCommand(a *App) *command.Command {
	var quiet bool
	cmd := &command.Command{
		Use:   "import [flags] FILE|- [NAME]",
		Short: "Read an image from an archive",
		Long: "Read an image from a docker save archive, a tar of an OCI layout or a tar of a root file system,\n" +
			"plain or compressed. A root file system needs a name; the others may bring their own.",
		Example: "  virga image import app.tar\n  mmdebstrap --variant=minbase trixie | virga image import - debian:trixie",
		Args:    arguments(1, 2),
		Run: func(cmd *command.Command, args []string) error {
			name := ""
			if len(args) == 2 {
				name = args[1]
			}
			in, err := a.openArchive(args[0])
			if err != nil {
				return err
			}
			defer in.Close()
			return a.importImage(cmd, name, in, quiet)
		},
	}
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "do not show progress")
	return cmd
}

func (a *App) importImage(cmd *command.Command, name string, in io.Reader, quiet bool) error {
	last, err := a.follow(a.api().Import(cmd.Context(), name, in), quiet)
	if err != nil {
		return err
	}
	if last.Image == nil {
		return api.Errorf(api.CodeUnavailable, "the daemon did not say that the import was done").WithHint("try again; see the daemon's log")
	}
	fmt.Fprintln(a.Out, first(append(last.Image.Names, last.Image.ID)...))
	return nil
}
