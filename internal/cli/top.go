package cli

import (
	"strconv"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

var processColumns = []column[api.Process]{
	{"UID", "UID", func(p api.Process) string { return p.UID }},
	{"PID", "PID", func(p api.Process) string { return strconv.Itoa(p.PID) }},
	{"PPID", "PPID", func(p api.Process) string { return strconv.Itoa(p.PPID) }},
	{"CPU", "CPU", func(p api.Process) string { return p.CPU.Round(10 * time.Millisecond).String() }},
	{"Memory", "MEMORY", func(p api.Process) string { return api.FormatBytes(p.Memory) }},
	{"Command", "COMMAND", func(p api.Process) string { return p.Command }},
}

func topCommand(a *App) *command.Command {
	var l listFlags
	cmd := &command.Command{
		Use:      "top [flags] INSTANCE",
		Short:    "List an instance's processes",
		Example:  "  virga top web\n  virga top -q web",
		Args:     arguments(1, 1),
		Complete: a.completeInstances(running, 1),
		Run: func(cmd *command.Command, args []string) error {
			list, err := a.api().Processes(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return listing[api.Process]{
				columns: processColumns, rows: list, objects: list,
				quiet:  func(p api.Process) string { return strconv.Itoa(p.PID) },
				object: func(p api.Process) any { return p },
			}.show(a, l)
		},
	}
	l.register(cmd.Flags())
	return cmd
}
