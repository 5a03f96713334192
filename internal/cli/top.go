package cli

import (
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func topCommand(a *App) *command.Command {
	var l listFlags
	var only string
	cmd := &command.Command{
		Use:   "top [flags] INSTANCE [PS-OPTIONS]",
		Short: "List an instance's processes",
		Long: "List an instance's processes. Options of ps choose what of them: -o COLUMN,… with\n" +
			psColumnNames() + ";\n-ef and aux are sets of them. PIDs are the node's.",
		Example:  "  virga top web\n  virga top web -o pid,user,etime,args\n  virga top web aux\n  virga top -q web",
		Args:     arguments(1, -1),
		Complete: a.completeInstances(running, 1),
	}
	f := cmd.Flags()
	l.register(f)
	f.StringVarP(&only, "columns", "o", "", "show these `columns` of ps")
	f.SetInterspersed(false) // what follows the instance is for ps
	cmd.Run = func(cmd *command.Command, args []string) error {
		columns, err := psColumns(only, args[1:])
		if err != nil {
			return err
		}
		list, err := a.api().Processes(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		rows := make([]processRow, len(list))
		for i, p := range list {
			rows[i] = processRow{p, time.Now()}
		}
		return listing[processRow]{
			columns: columns, rows: rows, objects: list,
			quiet:  processRow.pid,
			object: func(r processRow) any { return r.Process },
		}.show(a, l)
	}
	return cmd
}

// processRow is a process as it is listed.
type processRow struct {
	api.Process
	now time.Time
}
