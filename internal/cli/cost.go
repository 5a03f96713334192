package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

// costPeriod are the flags that say what time a report is about.
type costPeriod struct{ from, to, last string }

func (p *costPeriod) register(cmd *command.Command) {
	f := cmd.Flags()
	f.StringVar(&p.from, "from", "", "beginning: a day (2026-11-01), a `time` (RFC 3339) or a duration before now")
	f.StringVar(&p.to, "to", "", "end, not included: a day, a `time` or a duration before now (default now)")
	f.StringVar(&p.last, "last", "", "the `duration` until now, such as 24h, 7d or 1mo (default 24h)")
	cmd.Exclusive("from", "last")
	cmd.Exclusive("to", "last")
}

func (p *costPeriod) query(now time.Time) (api.CostQuery, error) {
	var q api.CostQuery
	var err error
	if q.From, err = parseDay("from", p.from, now); err != nil {
		return q, err
	}
	if q.To, err = parseDay("to", p.to, now); err != nil {
		return q, err
	}
	if p.last != "" {
		d, err := parseSpan(p.last)
		if err != nil {
			return q, err
		}
		q.From = now.Add(-d)
	}
	return q, nil
}

// parseDay is parseTime, and takes a day of UTC too.
func parseDay(flag, s string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	return parseTime(flag, s, now)
}

// spanUnits are those that Go's durations lack.
var spanUnits = []struct {
	suffix string
	unit   time.Duration
}{{"mo", 30 * 24 * time.Hour}, {"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}}

// maxSpan is longer than any ledger.
const maxSpan = 100 * 365 * 24 * time.Hour

// parseSpan reads a positive duration, in days, weeks and months too.
func parseSpan(s string) (time.Duration, error) {
	bad := api.Invalid("last", "--last %q: want a duration such as 24h, 7d, 2w or 1mo", s)
	for _, u := range spanUnits {
		number, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(number, 64)
		if err != nil || !(n > 0 && n <= float64(maxSpan/u.unit)) {
			return 0, bad
		}
		return time.Duration(n * float64(u.unit)), nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 || d > maxSpan {
		return 0, bad
	}
	return d, nil
}

func costCommand(a *App) *command.Command {
	var p costPeriod
	var by string
	var asJSON bool
	cmd := &command.Command{
		Use:   "cost [flags]",
		Short: "Show what instances cost, and where the machine's price went",
		Long: "Show what instances cost at list prices: each second that they run, at least a minute for each start, and surplus CPU\n" +
			"credits. Beside it stands what part of the machine's own price was promised to them; with what was idle and what is\n" +
			"kept for the system that is all of it.",
		Example: "  virga cost\n  virga cost --by instance --last 7d\n  virga cost --by label:team --from 2026-11-01 --to 2026-12-01\n" +
			"  virga cost export --format focus --from 2026-11-01 > november.csv",
		Args: arguments(0, 0),
		Run: func(cmd *command.Command, _ []string) error {
			q, err := p.query(time.Now())
			if err != nil {
				return err
			}
			q.By = by
			r, err := a.api().Cost(cmd.Context(), q)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(a.Out, r)
			}
			return printCost(a.Out, r)
		},
	}
	p.register(cmd)
	cmd.Flags().StringVar(&by, "by", "project", "sum up by `what`: project, instance, group, type or label:KEY")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Add(costExportCommand(a))
	return cmd
}

func costExportCommand(a *App) *command.Command {
	var p costPeriod
	var format string
	cmd := &command.Command{
		Use:   "export [flags]",
		Short: "Write the charges of a period, a row a day for each",
		Long: "Write the charges of a period, a row a day for each: focus is CSV in the columns of FOCUS 1.2, which cost tools read;\n" +
			"csv and json have virga's own. What was idle and what is kept for the system are rows of their own, billed to nobody.",
		Example: "  virga cost export --last 30d > focus.csv\n  virga cost export --format json --from 2026-11-01 --to 2026-12-01",
		Args:    arguments(0, 0),
		Run: func(cmd *command.Command, _ []string) error {
			q, err := p.query(time.Now())
			if err != nil {
				return err
			}
			r, err := a.api().ExportCost(cmd.Context(), q, format)
			if err != nil {
				return err
			}
			_, err = io.Copy(a.Out, r)
			if cerr := r.Close(); err == nil {
				err = cerr
			}
			return err
		},
	}
	p.register(cmd)
	cmd.Flags().StringVar(&format, "format", "focus", "`format`: focus, csv or json")
	return cmd
}

func printCost(out io.Writer, r api.CostReport) error {
	local := func(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }
	fmt.Fprintf(out, "From %s to %s, in %s\n\n", local(r.From), local(r.To), r.Currency)
	w := newTable(out)
	row := func(cells ...string) { fmt.Fprintln(w, strings.Join(cells, "\t")) }
	part := func(v float64) string {
		if r.Machine == 0 {
			return "-"
		}
		return strconv.FormatFloat(100*v/r.Machine, 'f', 2, 64) + " %"
	}
	header := strings.ToUpper(r.By)
	if _, key, ok := strings.Cut(r.By, ":"); ok {
		header = strings.ToUpper(key)
	}
	row(header, "INSTANCES", "HOURS", "VCPU-HOURS", "GIB-HOURS", "SURPLUS", "COST", "OF THE MACHINE")
	n, hours, vcpus, memory, surplus, share := 0, 0.0, 0.0, 0.0, 0.0, 0.0
	for _, l := range r.Lines {
		row(first(cell(l.Key), "-"), strconv.Itoa(l.Instances), amount(l.Seconds/3600), amount(l.VCPUHours), amount(l.GiBHours),
			money(l.Surplus), money(l.Cost), part(l.Machine))
		n, hours, vcpus, memory, surplus = n+l.Instances, hours+l.Seconds/3600, vcpus+l.VCPUHours, memory+l.GiBHours, surplus+l.Surplus
		share += l.Machine
	}
	row("TOTAL", strconv.Itoa(n), amount(hours), amount(vcpus), amount(memory), money(surplus), money(r.Total), part(share))
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	w = newTable(out)
	row("THE MACHINE", "PRICE", "SHARE")
	row("workload", money(r.Workload), part(r.Workload))
	row("idle", money(r.Idle), part(r.Idle))
	row("kept for the system", money(r.Overhead), part(r.Overhead))
	row("= in all", money(r.Machine), part(r.Workload+r.Idle+r.Overhead))
	return w.Flush()
}

// amount writes a number of hours with four digits that count.
func amount(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < .001:
		return strconv.FormatFloat(v, 'f', 6, 64)
	case v >= 1000:
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// money writes an amount so that seconds of a small instance still show.
func money(v float64) string {
	if v != 0 && v > -.01 && v < .01 {
		return strconv.FormatFloat(v, 'f', 6, 64)
	}
	return strconv.FormatFloat(v, 'f', 4, 64)
}
