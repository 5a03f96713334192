package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func capacityCommand(a *App) *command.Command {
	var asJSON bool
	var format string
	cmd := &command.Command{
		Use:   "capacity [flags]",
		Short: "Show what each node has, has given out and has left",
		Long: "Show the arithmetic of each node: what the machine has, less what is kept for the system, is allocatable. Dedicated\n" +
			"types take whole cores of it and everybody memory; the vCPUs of the others share the rest at the over-commit shown.\n" +
			"Writable layers and volumes with a size take disk, whether they are used or not.",
		Example: "  virga capacity\n  virga capacity --format '{{.Node}} {{.Free.Memory}}'",
		Args:    arguments(0, 0),
		Run: func(cmd *command.Command, _ []string) error {
			nodes, err := a.api().Capacity(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON || format != "" {
				all := make([]any, len(nodes))
				for i, n := range nodes {
					all[i] = n
				}
				return a.inspected(all, format)
			}
			for i, n := range nodes {
				if i > 0 {
					fmt.Fprintln(a.Out)
				}
				if err := printCapacity(a.Out, n); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVarP(&format, "format", "f", "", "print each node with a Go `template`")
	return cmd
}

func printCapacity(out io.Writer, n api.NodeCapacity) error {
	w := newTable(out)
	row := func(cells ...string) { fmt.Fprintln(w, strings.Join(cells, "\t")) }
	row("NODE "+cell(n.Node), "VCPUS", "MEMORY", "DISK", "INSTANCES")
	amount := func(name string, v api.Amount) {
		row(name, number(v.VCPUs), api.FormatBytes(v.Memory), api.FormatBytes(v.Disk), "-")
	}
	amount("physical", n.Physical)
	amount("- reserved for the system", n.Reserved)
	amount("= allocatable", n.Allocatable)
	instances := 0
	for _, c := range n.Classes {
		vcpus, count := number(c.VCPUs), strconv.Itoa(c.Instances)
		if c.Class == api.FamilyBurst && c.Instances > 0 {
			vcpus += " (baseline " + number(c.Baseline) + ")"
		}
		if c.Unlimited > 0 {
			count += fmt.Sprintf(" (%d without a memory limit)", c.Unlimited)
		}
		row("  "+string(c.Class), vcpus, api.FormatBytes(c.Memory), "", count)
		instances += c.Instances
	}
	row("  writable layers", "", "", api.FormatBytes(n.Disk.Layers), "-")
	row("  volumes", "", "", api.FormatBytes(n.Disk.Volumes), "-")
	row("- allocated", number(n.Allocated.VCPUs), api.FormatBytes(n.Allocated.Memory), api.FormatBytes(n.Allocated.Disk), strconv.Itoa(instances))
	memory := api.FormatBytes(n.Free.Memory)
	row("= free", "", memory, "", "-")
	row("  dedicated", number(n.Free.Dedicated), memory, "", "-")
	row("  shared, over-commit "+number(n.Overcommit), fmt.Sprintf("%s (baseline %s)", number(n.Free.Shared), number(n.Free.Baseline)), memory, "", "-")
	row("  disk, over-commit "+number(n.Disk.Overcommit), "", "", api.FormatBytes(n.Free.Disk), "-")
	amount("used", n.Used)
	return w.Flush()
}
