package cli

import (
	"fmt"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func systemCommand(a *App) *command.Command {
	cmd := &command.Command{
		Use:     "system",
		Short:   "Check, repair and tidy what virga made on the node",
		Example: "  virga system check\n  virga system df\n  virga system prune",
		Args:    noCommand,
		Run:     func(cmd *command.Command, _ []string) error { return cmd.Help() },
	}
	cmd.Add(systemCheckCommand(a), systemRepairCommand(a), systemDFCommand(a), systemPruneCommand(a),
		infoCommand(a), renamed(eventsCommand(a), "events [flags]", "  virga system events --since 1h"))
	return cmd
}

var resourceColumns = []column[api.Resource]{
	{"Kind", "KIND", func(r api.Resource) string { return r.Kind }},
	{"Name", "NAME", func(r api.Resource) string { return r.Name }},
	{"Owner", "OWNER", func(r api.Resource) string { return r.Owner }},
	{"State", "STATE", func(r api.Resource) string {
		switch {
		case r.Error != "":
			return "not collected: " + r.Error
		case r.Stale:
			return "stale"
		}
		return "owned"
	}},
}

func systemCheckCommand(a *App) *command.Command {
	var l listFlags
	var repair, stale bool
	cmd := &command.Command{
		Use:   "check [flags]",
		Short: "List everything virga made on the node, and its owners",
		Long: "List every mount, namespace, link, control group, rule, process and directory that virga made on the node, and\n" +
			"which instance, volume or network owns it. What has no owner is stale; then the exit status is 1.",
		Example: "  virga system check\n  virga system check --stale\n  virga system check --repair",
		Args:    arguments(0, 0),
		Run: func(cmd *command.Command, _ []string) error {
			return a.check(cmd, l, repair, stale)
		},
	}
	l.register(cmd.Flags())
	cmd.Flags().BoolVar(&repair, "repair", false, "collect what is stale")
	cmd.Flags().BoolVar(&stale, "stale", false, "show only what is stale")
	return cmd
}

func systemRepairCommand(a *App) *command.Command {
	var l listFlags
	cmd := &command.Command{
		Use:     "repair [flags]",
		Short:   "Collect what is stale on the node",
		Example: "  virga system repair",
		Args:    arguments(0, 0),
		Run:     func(cmd *command.Command, _ []string) error { return a.check(cmd, l, true, true) },
	}
	l.register(cmd.Flags())
	return cmd
}

func (a *App) check(cmd *command.Command, l listFlags, repair, onlyStale bool) error {
	r, err := a.api().Check(cmd.Context(), repair)
	if err != nil {
		return err
	}
	rows := r.Resources
	if onlyStale {
		rows = nil
		for _, o := range r.Resources {
			if o.Stale || o.Error != "" {
				rows = append(rows, o)
			}
		}
	}
	err = listing[api.Resource]{
		columns: resourceColumns, rows: rows, objects: r,
		quiet:  func(r api.Resource) string { return r.Kind + " " + r.Name },
		object: func(r api.Resource) any { return r },
	}.show(a, l)
	if err != nil {
		return err
	}
	left := r.Stale - r.Repaired
	if !l.json && l.format == "" && !l.quiet {
		fmt.Fprintf(a.Out, "\n%d resources, %d stale, %d collected\n", len(r.Resources), r.Stale, r.Repaired)
	}
	if left > 0 {
		return exit(1)
	}
	return nil
}
