package cli

import (
	"strings"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func diffCommand(a *App) *command.Command {
	var l listFlags
	cmd := &command.Command{
		Use:   "diff [flags] INSTANCE",
		Short: "List what an instance has changed of its image's files",
		Long: "List what an instance has changed of its image's files: A was added, C changed, D deleted.\n" +
			"What lies in volumes is not the image's.",
		Example:  "  virga diff web\n  virga diff --json web",
		Args:     arguments(1, 1),
		Complete: a.completeInstances(anyPhase, 1),
		Run: func(cmd *command.Command, args []string) error {
			list, err := a.api().Changes(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if l.format == "" {
				l.format = "{{.Mark}} {{.Path}}"
			}
			rows := make([]changeRow, len(list))
			for i, c := range list {
				rows[i] = changeRow{c}
			}
			return listing[changeRow]{
				columns: changeColumns, rows: rows, objects: list,
				quiet:  func(c changeRow) string { return c.Path },
				object: func(c changeRow) any { return c.FileChange },
			}.show(a, l)
		},
	}
	l.register(cmd.Flags())
	return cmd
}

// changeRow is a change as it is listed.
type changeRow struct{ api.FileChange }

var changeColumns = []column[changeRow]{
	{"Mark", "CHANGE", changeRow.Mark},
	{"Path", "PATH", func(c changeRow) string { return c.Path }},
}

// Mark is the letter that Docker has for the change.
func (c changeRow) Mark() string { return strings.ToUpper(c.Kind[:1]) }
