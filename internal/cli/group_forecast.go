package cli

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

// inputs are what a decision was made from, in one line.
func inputs(h api.GroupHistory) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(h.Inputs)) {
		parts = append(parts, fmt.Sprintf("%s=%.4g", k, h.Inputs[k]))
	}
	return strings.Join(parts, " ")
}

func groupForecastCommand(a *App) *command.Command {
	var l listFlags
	var history bool
	cmd := &command.Command{
		Use:   "forecast [flags] GROUP",
		Short: "Show what load is expected of a group that predicts",
		Long: "Show what load is expected in the next 48 hours of a group that predicts (virga group scale --predict).\n\n" +
			"A load is in instances that are busy to their target. There is a forecast after a day of measurements.",
		Example:  "  virga group forecast web\n  virga group forecast --history --json web",
		Args:     arguments(1, 1),
		Complete: a.completeGroups(),
		Run: func(cmd *command.Command, args []string) error {
			f, err := a.api().GroupForecast(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			slots := f.Forecast
			if history {
				slots = f.History
			}
			if len(slots) == 0 && !history {
				fmt.Fprintf(a.Err, "nothing can be forecast before a day has been measured; %s has been so far\n",
					time.Duration(len(f.History))*time.Duration(f.Slot))
			}
			return listing[api.LoadSlot]{
				columns: []column[api.LoadSlot]{
					{"Time", "TIME", func(s api.LoadSlot) string { return s.Time.Local().Format("Mon 2006-01-02 15:04") }},
					{"Load", "LOAD", func(s api.LoadSlot) string { return fmt.Sprintf("%.2f", s.Load) }},
					{"Instances", "INSTANCES", func(s api.LoadSlot) string { return fmt.Sprint(math.Ceil(s.Load - 1e-9)) }},
				},
				rows: slots, objects: slots,
				quiet:  func(s api.LoadSlot) string { return fmt.Sprintf("%g", s.Load) },
				object: func(s api.LoadSlot) any { return s },
			}.show(a, l)
		},
	}
	f := cmd.Flags()
	l.register(f)
	f.BoolVar(&history, "history", false, "the past instead, at most 14 days")
	return cmd
}
