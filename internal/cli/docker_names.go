package cli

import (
	"io"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

// These are commands under the names that Docker has for them. They are left out
// of the help's list, which has each thing once.

// renamed is a command under another name.
func renamed(cmd *command.Command, use, example string) *command.Command {
	cmd.Use, cmd.Example, cmd.Hidden, cmd.Aliases = use, example, true, nil
	return cmd
}

func historyCommand(a *App) *command.Command {
	return renamed(imageHistoryCommand(a), "history [flags] IMAGE", "  virga history nginx")
}

func tagCommand(a *App) *command.Command {
	return renamed(imageTagCommand(a), "tag IMAGE NAME", "  virga tag app:1 registry.example.com/team/app:1")
}

func importCommand(a *App) *command.Command {
	return renamed(imageImportCommand(a), "import [flags] FILE|- [NAME]", "  virga import root.tar debian:mine")
}

func infoCommand(a *App) *command.Command {
	return renamed(nodeCommand(a), "info [flags]", "  virga info --format '{{.Kernel}}'")
}

// saveCommand writes what docker load reads.
func saveCommand(a *App) *command.Command {
	var output archiveOutput
	cmd := &command.Command{
		Use:      "save [flags] IMAGE...",
		Hidden:   true,
		Short:    "Write images to an archive that docker load reads",
		Example:  "  virga save -o app.tar app:1\n  virga save app:1 | ssh other virga load",
		Args:     arguments(1, -1),
		Complete: a.completeImages,
		Run: func(cmd *command.Command, args []string) error {
			return output.write(a, func() (io.ReadCloser, error) {
				return a.api().Export(cmd.Context(), args, api.ExportDocker)
			})
		},
	}
	output.register(cmd.Flags())
	return cmd
}

func loadCommand(a *App) *command.Command {
	var input string
	var quiet bool
	cmd := &command.Command{
		Use:     "load [flags]",
		Hidden:  true,
		Short:   "Read images from an archive",
		Example: "  virga load -i app.tar\n  docker save app:1 | virga load",
		Args:    arguments(0, 0),
		Run: func(cmd *command.Command, _ []string) error {
			in, err := a.openArchive(input)
			if err != nil {
				return err
			}
			defer in.Close()
			return a.importImage(cmd, "", in, quiet)
		},
	}
	cmd.Flags().StringVarP(&input, "input", "i", "-", "`file` to read, - for standard input")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "do not show progress")
	return cmd
}

// exportCommand writes an instance's files, as docker export does.
func exportCommand(a *App) *command.Command {
	var output archiveOutput
	cmd := &command.Command{
		Use:      "export [flags] INSTANCE",
		Hidden:   true,
		Short:    "Write an instance's file system to a tar",
		Example:  "  virga export -o root.tar web\n  virga export web | virga import - web:copy",
		Args:     arguments(1, 1),
		Complete: a.completeInstances(anyPhase, 1),
		Run: func(cmd *command.Command, args []string) error {
			return output.write(a, func() (io.ReadCloser, error) {
				return a.api().ReadFiles(cmd.Context(), args[0], "/")
			})
		},
	}
	output.register(cmd.Flags())
	return cmd
}

// instanceCommand holds the commands of instances, as docker container does.
func instanceCommand(a *App) *command.Command {
	cmd := &command.Command{
		Use:     "instance",
		Aliases: []string{"container"},
		Hidden:  true,
		Short:   "The commands of instances",
		Example: "  virga instance ls -a",
		Args:    noCommand,
		Run:     func(cmd *command.Command, _ []string) error { return cmd.Help() },
	}
	for _, e := range instanceEntries {
		cmd.Add(e.make(a))
	}
	cmd.Add(exportCommand(a), instancePruneCommand(a))
	return cmd
}
