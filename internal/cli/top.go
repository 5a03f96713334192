package cli

import (
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/virga-cloud/virga/api"
)

var processColumns = []column[api.Process]{
	{"UID", "UID", func(p api.Process) string { return p.UID }},
	{"PID", "PID", func(p api.Process) string { return strconv.Itoa(p.PID) }},
	{"PPID", "PPID", func(p api.Process) string { return strconv.Itoa(p.PPID) }},
	{"CPU", "CPU", func(p api.Process) string { return p.CPU.Round(10 * time.Millisecond).String() }},
	{"Memory", "MEMORY", func(p api.Process) string { return api.FormatBytes(p.Memory) }},
	{"Command", "COMMAND", func(p api.Process) string { return p.Command }},
}

func topCommand(a *App) *cobra.Command {
	var l listFlags
	cmd := &cobra.Command{
		Use:               "top [flags] INSTANCE",
		Short:             "List an instance's processes",
		Example:           "  virga top web\n  virga top -q web",
		Args:              arguments(1, 1),
		ValidArgsFunction: a.completeInstances(running, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
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
