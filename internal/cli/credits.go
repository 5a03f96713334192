package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func creditsCommand(a *App) *command.Command {
	var series string
	var asJSON bool
	cmd := &command.Command{
		Use:   "credits [flags] INSTANCE",
		Short: "Show the CPU credits of a burst instance",
		Long: "Show the CPU credits of a burst instance: what it has, earns and spends, and how long that lasts.\n" +
			"A credit is one vCPU for one minute.",
		Example:  "  virga credits web\n  virga credits --series 5m web",
		Args:     arguments(1, 1),
		Complete: a.completeInstances(anyPhase, 1),
		Run: func(cmd *command.Command, args []string) error {
			c, err := a.api().Credits(cmd.Context(), args[0], series)
			if err != nil {
				return err
			}
			switch {
			case asJSON:
				return printJSON(a.Out, c)
			case series != "":
				return creditTable(a.Out, c.Series)
			}
			return creditSummary(a.Out, c)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&series, "series", "", "past values: 1s of the last ten minutes, or 5m of the last two weeks")
	return cmd
}

func creditSummary(out io.Writer, c api.CPUCredits) error {
	w := newTable(out)
	line := func(name, format string, args ...any) { fmt.Fprintf(w, name+":\t"+format+"\n", args...) }
	line("Mode", "%s", c.Mode)
	balance := fmt.Sprintf("%.2f of %.4g credits", c.Balance, c.Cap)
	if c.Launch > 0 {
		balance += fmt.Sprintf(", %.2f of them launch credits", c.Launch)
	}
	line("Balance", "%s", balance)
	line("Earns", "%.4g an hour", c.EarnPerHour)
	if c.Limit > 0 {
		line("May use", "%.3g vCPUs now", c.Limit)
	}
	if c.LastsForSecond > 0 {
		line("Lasts for", "%s at the present use", span(seconds(c.LastsForSecond)))
	}
	if c.FullInSecond > 0 {
		line("Full in", "%s at the present use", span(seconds(c.FullInSecond)))
	}
	line("Spent", "%.2f since launch", c.Usage)
	if c.Mode == api.CreditUnlimited || c.Charged > 0 {
		line("Surplus", "%.2f, of %.4g free of charge", c.Surplus, c.Cap)
		line("Charged", "%.2f", c.Charged)
	}
	return w.Flush()
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func creditTable(out io.Writer, series []api.CreditSample) error {
	w := newTable(out)
	fmt.Fprintln(w, "TIME\tUSAGE\tBALANCE\tSURPLUS\tCHARGED")
	for _, s := range series {
		fmt.Fprintf(w, "%s\t%.4f\t%.3f\t%.3f\t%.3f\n", s.Time.Local().Format(time.DateTime), s.Usage, s.Balance, s.Surplus, s.Charged)
	}
	return w.Flush()
}
