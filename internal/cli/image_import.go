package cli

import (
	"fmt"
	"io"
	"slices"

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
	var came []api.Image
	steps := func(yield func(api.Progress, error) bool) {
		for p, err := range a.api().Import(cmd.Context(), name, in) {
			if i := p.Image; i != nil && !slices.ContainsFunc(came, func(c api.Image) bool { return c.ID == i.ID }) {
				came = append(came, *i)
			}
			if !yield(p, err) {
				return
			}
		}
	}
	if _, err := a.follow(steps, quiet); err != nil {
		return err
	}
	if len(came) == 0 {
		return api.Errorf(api.CodeUnavailable, "the daemon did not say that the import was done").WithHint("try again; see the daemon's log")
	}
	for _, i := range came {
		fmt.Fprintln(a.Out, first(append(i.Names, i.ID)...))
	}
	return nil
}
