package control

import (
	"strings"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

// What a group cannot be is refused by the name of the field and the value.
func TestGroupIsRefused(t *testing.T) {
	cpu := func(target float64) []api.TargetPolicy {
		return []api.TargetPolicy{{Metric: api.MetricCPU, Target: target}}
	}
	scaling := func(c api.Scaling) func(*api.GroupSpec) {
		return func(s *api.GroupSpec) { s.Max, s.Scaling = 5, &c }
	}
	number := func(n int) *int { return &n }
	far := func(x float64) *float64 { return &x }
	for name, c := range map[string]struct {
		change      func(*api.GroupSpec)
		field, text string
	}{
		"min above max":         {func(s *api.GroupSpec) { s.Min, s.Max, s.Desired = 3, 2, 2 }, "spec.min", "min 3 is more than max 2"},
		"desired above max":     {func(s *api.GroupSpec) { s.Desired, s.Max = 3, 2 }, "spec.desired", "desired 3 is more than max 2"},
		"desired below min":     {func(s *api.GroupSpec) { s.Desired, s.Min = 1, 2 }, "spec.desired", "desired 1 is less than min 2"},
		"negative":              {func(s *api.GroupSpec) { s.Desired = -1 }, "spec.desired", "not negative"},
		"too many":              {func(s *api.GroupSpec) { s.Desired = MaxGroup + 1 }, "spec.desired", "at most 10000"},
		"negative surge":        {func(s *api.GroupSpec) { s.Update.MaxSurge = number(-1) }, "spec.update", "not negative"},
		"negative hold":         {func(s *api.GroupSpec) { s.Update.Hold = -1 }, "spec.update", "not negative"},
		"rolled back and held":  {func(s *api.GroupSpec) { s.Update.Rollback, s.Update.Hold = 1, 2 }, "spec.update.hold", "rolled back (after 1 failures) or held (after 2)"},
		"ready in a year":       {func(s *api.GroupSpec) { s.Update.MinReady = api.Duration(9000 * time.Hour) }, "spec.update.minReady", "9000h0m0s"},
		"negative return":       {func(s *api.GroupSpec) { s.Update.Return = &api.ReturnPolicy{MaxUnavailable: -2} }, "spec.update.return", "not negative"},
		"return ready too late": {func(s *api.GroupSpec) { s.Update.Return = &api.ReturnPolicy{MinReady: -1} }, "spec.update.return.minReady", "-1ns"},
		"order of leaving":      {func(s *api.GroupSpec) { s.ScaleIn = "tallest" }, "spec.scaleIn", `"tallest"`},
		"grace":                 {func(s *api.GroupSpec) { s.HealthGrace = -1 }, "spec.healthGrace", "-1ns"},
		"target of 0":           {scaling(api.Scaling{Targets: cpu(0)}), "spec.scaling.targets", "target 0 of cpu"},
		"negative target":       {scaling(api.Scaling{Targets: cpu(-5)}), "spec.scaling.targets", "target -5 of cpu"},
		"no policy":             {scaling(api.Scaling{}), "spec.scaling", "no policy"},
		"no max":                {func(s *api.GroupSpec) { s.Scaling = &api.Scaling{Targets: cpu(70)} }, "spec.max", "needs a max"},
		"unknown metric":        {scaling(api.Scaling{Targets: []api.TargetPolicy{{Metric: "mood", Target: 1}}}), "spec.scaling", `"mood"`},
		"a queue nowhere":       {scaling(api.Scaling{Targets: []api.TargetPolicy{{Metric: api.MetricQueue, Target: 1}}}), "spec.scaling.queue", "queue"},
		"no steps":              {scaling(api.Scaling{Steps: []api.StepPolicy{{Metric: api.MetricCPU}}}), "spec.scaling.steps", "no steps"},
		"a step back":           {scaling(api.Scaling{Steps: []api.StepPolicy{{Metric: api.MetricCPU, Steps: []api.Step{{From: far(5), To: far(1)}}}}}), "spec.scaling.steps", "from 5 to 1"},
		"a cron":                {scaling(api.Scaling{Schedules: []api.SchedulePolicy{{Cron: "99 * * * *"}}}), "spec.scaling.schedules", "99"},
		"scheduled upside down": {scaling(api.Scaling{Schedules: []api.SchedulePolicy{{Cron: "0 8 * * *", Min: number(4), Max: number(2)}}}), "spec.scaling.schedules", "min 4 is more than max 2"},
		"negative cooldown":     {scaling(api.Scaling{Targets: cpu(70), OutCooldown: -1}), "spec.scaling", "-1ns"},
		"a mix without spot":    {func(s *api.GroupSpec) { s.Purchase = &api.Purchase{OnDemandBase: 1} }, "spec.purchase", "needs a template that is spot"},
		"too much on demand": {func(s *api.GroupSpec) {
			s.Template.Spot, s.Purchase = &api.Spot{}, &api.Purchase{OnDemandPercent: 101}
		}, "spec.purchase", "per cent 101"},
	} {
		t.Run(name, func(t *testing.T) {
			s := api.GroupSpec{Desired: 1, Template: api.InstanceSpec{Image: "x"}}
			if err := ValidateGroup("web", &s); err != nil {
				t.Fatalf("without the fault: %v", err)
			}
			c.change(&s)
			e, ok := ValidateGroup("web", &s).(*api.Error)
			if !ok || e.Code != api.CodeInvalid || e.Field != c.field || !strings.Contains(e.Message, c.text) {
				t.Errorf("%+v, want %s: %s", e, c.field, c.text)
			}
		})
	}
}
