package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func nodeCommand(a *App) *command.Command {
	var asJSON bool
	var format string
	cmd := &command.Command{
		Use:     "node [flags]",
		Short:   "Show the node: capacity, and kernel features with what each missing one costs",
		Example: "  virga node\n  virga node --format '{{.Capacity.Allocatable.Memory}}'",
		Args:    arguments(0, 0),
		Run: func(cmd *command.Command, _ []string) error {
			n, err := a.api().Node(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON || format == "json" {
				return printJSON(a.Out, n)
			}
			if format != "" {
				return a.inspected([]any{n}, format)
			}
			return a.printNode(n, time.Now())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVarP(&format, "format", "f", "", "print with a Go `template`")
	return cmd
}

func (a *App) printNode(n api.Node, now time.Time) error {
	w := newTable(a.Out)
	row := func(cells ...string) {
		for i, c := range cells {
			cells[i] = cell(c)
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	row("Name:", n.Name)
	row("Version:", n.Version)
	row("Kernel:", n.Kernel+" ("+n.Arch+")")
	row("Control groups:", n.Cgroup)
	row("Data:", n.DataDir)
	var labels []string
	for _, k := range slices.Sorted(maps.Keys(n.Labels)) {
		labels = append(labels, k+"="+n.Labels[k])
	}
	row("Labels:", strings.Join(labels, " "))
	row("Daemon started:", ago(now, n.Started))
	var counts []string
	for _, p := range slices.Sorted(maps.Keys(n.Instances)) {
		counts = append(counts, fmt.Sprintf("%d %s", n.Instances[p], p))
	}
	row("Instances:", first(strings.Join(counts, ", "), "none"))
	fmt.Fprintln(w)
	row("CAPACITY", "VCPUS", "MEMORY", "DISK")
	for _, r := range []struct {
		name   string
		amount api.Amount
	}{
		{"physical", n.Capacity.Physical}, {"reserved", n.Capacity.Reserved}, {"allocatable", n.Capacity.Allocatable},
		{"allocated", n.Capacity.Allocated}, {"used", n.Capacity.Used},
	} {
		row(r.name, fmt.Sprintf("%.4g", r.amount.VCPUs), api.FormatBytes(r.amount.Memory), api.FormatBytes(r.amount.Disk))
	}
	fmt.Fprintln(w)
	row("FEATURE", "PRESENT", "SINCE", "DETAIL")
	for _, f := range n.Features {
		present, detail := "yes", f.Detail
		if !f.Present {
			present, detail = "no", strings.Trim(f.Detail+"; "+f.Cost, "; ")
		}
		row(f.Name, present, first(f.Since, "-"), first(detail, "-"))
	}
	return w.Flush()
}
