package cli

import (
	"fmt"
	"strconv"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func spotCommand(a *App) *command.Command {
	cmd := &command.Command{
		Use:   "spot",
		Short: "Show what spare capacity costs and has cost",
		Long: "Show what spare capacity costs and has cost.\n\n" +
			"Spot instances run on what on-demand instances have not reserved. At a utilisation u, the larger share of\n" +
			"vCPUs and memory that is promised, they cost 10% of the on-demand price up to u = 0.5, from there\n" +
			"10% + 90% of ((u - 0.5) / 0.5) squared, rounded to 1%.",
		Example: "  virga spot price\n  virga spot history --since 24h\n  virga run -d --spot --type shared.small nginx",
		Args:    noCommand,
		Run:     func(cmd *command.Command, _ []string) error { return cmd.Help() },
	}
	cmd.Add(spotPriceCommand(a), spotHistoryCommand(a))
	return cmd
}

func spotPriceCommand(a *App) *command.Command {
	var l listFlags
	cmd := &command.Command{
		Use:      "price [flags] [TYPE...]",
		Short:    "Show what types cost as spot now",
		Example:  "  virga spot price\n  virga spot price burst.small --format '{{.Spot}}'\n  virga spot price --json",
		Args:     arguments(0, -1),
		Complete: a.completeTypes(),
		Run: func(cmd *command.Command, args []string) error {
			m, err := a.api().SpotMarket(cmd.Context())
			if err != nil {
				return err
			}
			byName := map[string]api.SpotPrice{}
			for _, p := range m.Types {
				byName[p.Type] = p
			}
			chosen := m.Types
			if len(args) > 0 {
				chosen = nil
				for _, name := range args {
					p, ok := byName[name]
					if !ok {
						return api.Errorf(api.CodeNotFound, "no instance type %q", name).WithHint("virga type ls lists the types there are")
					}
					chosen = append(chosen, p)
				}
			}
			rows := make([]priceRow, len(chosen))
			for i, p := range chosen {
				rows[i] = priceRow{p, m}
			}
			return listing[priceRow]{
				columns: priceColumns, rows: rows, objects: chosen,
				quiet:  func(r priceRow) string { return r.Type },
				object: func(r priceRow) any { return r.SpotPrice },
			}.show(a, l)
		},
	}
	l.register(cmd.Flags())
	return cmd
}

// priceRow is a type's price as it is listed.
type priceRow struct {
	api.SpotPrice
	market api.SpotMarket
}

var priceColumns = []column[priceRow]{
	{"Type", "TYPE", func(r priceRow) string { return r.Type }},
	{"OnDemandPrice", "ON-DEMAND/H", func(r priceRow) string { return price(r.OnDemand) }},
	{"SpotPrice", "SPOT/H", func(r priceRow) string { return price(r.Spot) }},
	{"Saving", "SAVING", func(r priceRow) string { return percent(1 - r.market.Share) }},
	{"Utilisation", "UTILISATION", func(r priceRow) string { return percent(r.market.Utilisation) }},
}

func price(v float64) string   { return strconv.FormatFloat(v, 'f', 5, 64) }
func percent(v float64) string { return strconv.FormatFloat(100*v, 'f', 0, 64) + "%" }

func spotHistoryCommand(a *App) *command.Command {
	var l listFlags
	var since string
	cmd := &command.Command{
		Use:     "history [flags]",
		Short:   "Show what spot has cost, as a share of the on-demand price",
		Example: "  virga spot history\n  virga spot history --since 2160h --json",
		Args:    arguments(0, 0),
		Run: func(cmd *command.Command, _ []string) error {
			list, err := a.api().SpotHistory(cmd.Context(), since)
			if err != nil {
				return err
			}
			rows := make([]pointRow, len(list))
			for i, p := range list {
				rows[i] = pointRow{p}
			}
			return listing[pointRow]{
				columns: pointColumns, rows: rows, objects: list,
				quiet:  func(r pointRow) string { return fmt.Sprint(r.Share) },
				object: func(r pointRow) any { return r.SpotPoint },
			}.show(a, l)
		},
	}
	l.register(cmd.Flags())
	cmd.Flags().StringVar(&since, "since", "", "`time`, or duration before now (default 24h)")
	return cmd
}

// pointRow is a price as it is listed.
type pointRow struct{ api.SpotPoint }

var pointColumns = []column[pointRow]{
	{"Since", "SINCE", func(r pointRow) string { return r.Time.Local().Format(time.DateTime) }},
	{"Price", "PRICE", func(r pointRow) string { return percent(r.Share) }},
	{"Used", "UTILISATION", func(r pointRow) string { return percent(r.Utilisation) }},
}
