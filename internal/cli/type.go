package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func typeCommand(a *App) *command.Command {
	cmd := &command.Command{
		Use:     "type",
		Short:   "List, add and remove instance types",
		Example: "  virga type ls\n  virga run --type burst.small nginx",
		Args:    noCommand,
		Run:     func(cmd *command.Command, _ []string) error { return cmd.Help() },
	}
	cmd.Add(typeListCommand(a), typeCreateCommand(a), typeRemoveCommand(a),
		inspectOf(a, "instance type", "  virga type inspect burst.small", a.completeTypes(),
			func(cmd *command.Command, n string) (api.InstanceType, error) { return a.api().Type(cmd.Context(), n) }))
	return cmd
}

func typeListCommand(a *App) *command.Command {
	var l listFlags
	var family string
	cmd := &command.Command{
		Use:     "ls [flags]",
		Short:   "List instance types",
		Example: "  virga type ls --family burst\n  virga type ls --format '{{.Name}} {{.VCPUs}} {{.Memory}}'",
		Args:    arguments(0, 0),
		Run: func(cmd *command.Command, _ []string) error {
			list, err := a.api().Types(cmd.Context())
			if err != nil {
				return err
			}
			rows, chosen := []typeRow{}, []api.InstanceType{}
			for _, t := range list {
				if family == "" || string(t.Family) == family {
					rows, chosen = append(rows, typeRow{t}), append(chosen, t)
				}
			}
			return listing[typeRow]{
				columns: typeColumns, rows: rows, objects: chosen,
				quiet:  func(r typeRow) string { return r.Name },
				object: func(r typeRow) any { return r.InstanceType },
			}.show(a, l)
		},
	}
	l.register(cmd.Flags())
	cmd.Flags().StringVar(&family, "family", "", "show only one `family`: burst, shared, dedicated")
	return cmd
}

func typeRemoveCommand(a *App) *command.Command {
	return removal{
		use: "rm [flags] TYPE...", short: "Remove instance types that were added; instances keep theirs", example: "  virga type rm shared.web",
		complete: a.completeTypes(),
		do:       func(ctx context.Context, name string, _ bool) error { return a.api().RemoveType(ctx, name) },
	}.command(a)
}

// typeRow is a type as it is listed.
type typeRow struct{ api.InstanceType }

var typeColumns = []column[typeRow]{
	{"Name", "TYPE", func(r typeRow) string { return r.Name }},
	{"VCPUs", "VCPUS", func(r typeRow) string { return number(r.InstanceType.VCPUs) }},
	{"CPU", "CPU", typeRow.CPU},
	{"Memory", "MEMORY", typeRow.Memory},
	{"Limits", "LIMITS", typeRow.Limits},
	{"Price", "PRICE/H", typeRow.Price},
	{"Origin", "ORIGIN", func(r typeRow) string { return string(r.InstanceType.Origin) }},
}

// CPU is how the vCPUs are given out.
func (r typeRow) CPU() string {
	t := r.InstanceType
	switch t.Family {
	case api.FamilyBurst:
		earn := t.Baseline * t.VCPUs * 60
		return fmt.Sprintf("%s%% each, %s credits/h up to %s, %s", number(100*t.Baseline), number(earn), number(24*earn), t.CreditMode)
	case api.FamilyShared:
		if t.Quota {
			return fmt.Sprintf("weight %d, hard limit", t.Weight)
		}
		return fmt.Sprintf("weight %d", t.Weight)
	case api.FamilyDedicated:
		return "own cores"
	}
	return "-"
}

// Memory is the limit.
func (r typeRow) Memory() string { return api.FormatBytes(r.InstanceType.Memory) }

// Limits are those of the disk, the network and block I/O.
func (r typeRow) Limits() string {
	var all []string
	add := func(name string, n int64, unit string) {
		if n > 0 {
			all = append(all, name+" "+unit+"/s")
		}
	}
	b := r.InstanceType.BlockIO
	if d := r.InstanceType.Disk; d > 0 {
		all = append(all, "disk "+api.FormatBytes(d))
	}
	add("net", r.NetworkBPS, strconv.FormatInt(r.NetworkBPS/1e6, 10)+" Mbit")
	add("read", b.ReadBPS, api.FormatBytes(b.ReadBPS))
	add("write", b.WriteBPS, api.FormatBytes(b.WriteBPS))
	add("read", b.ReadOPS, strconv.FormatInt(b.ReadOPS, 10)+" op")
	add("write", b.WriteOPS, strconv.FormatInt(b.WriteOPS, 10)+" op")
	return first(strings.Join(all, ", "), "-")
}

// Price is the list price of an hour.
func (r typeRow) Price() string { return strconv.FormatFloat(r.PricePerHour, 'f', 4, 64) }

// number writes n without needless digits.
func number(n float64) string { return strconv.FormatFloat(n, 'g', 6, 64) }
