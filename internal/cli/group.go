package cli

import (
	"context"
	"time"

	"github.com/spf13/pflag"
	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func groupCommand(a *App) *command.Command {
	cmd := &command.Command{
		Use:   "group",
		Short: "Make groups of equal instances, and scale, update and remove them",
		Example: "  virga group create web --replicas 3 --image nginx:1.27\n  virga group scale web --min 2 --max 10 --cpu 70\n" +
			"  virga group update web --image nginx:1.28\n  virga group history web",
		Args: noCommand,
		Run:  func(cmd *command.Command, _ []string) error { return cmd.Help() },
	}
	cmd.Add(groupCreateCommand(a), groupListCommand(a),
		inspectOf(a, "group", "  virga group inspect web\n  virga group inspect --format '{{.Status.Ready}} of {{.Spec.Desired}}' web", a.completeGroups(),
			func(cmd *command.Command, n string) (api.Group, error) { return a.api().Group(cmd.Context(), n) }),
		groupUpdateCommand(a), groupScaleCommand(a), groupRolloutCommand(a), groupProtectCommand(a), groupRemoveCommand(a, "rm [flags] GROUP...", "Remove groups with their instances", "  virga group rm web\n  virga group rm -v db"), groupHistoryCommand(a), groupForecastCommand(a))
	return cmd
}

// groupFlags are the flags of a group's policies.
type groupFlags struct {
	surge, unavailable, rollback, hold int
	minReady, healthGrace              time.Duration
	scaleIn                            string
	warm                               int
	warmState                          string
	back                               returnFlag
	onDemandBase                       int
	onDemandPercent                    int
}

func (g *groupFlags) register(f *pflag.FlagSet) {
	f.IntVar(&g.surge, "max-surge", 1, "instances beyond the desired `number` during a roll")
	f.IntVar(&g.unavailable, "max-unavailable", 0, "instances fewer than the desired `number` during a roll")
	f.IntVar(&g.rollback, "rollback", 0, "return to the revision before after this `number` of failures in a row; 0 does not")
	f.IntVar(&g.hold, "hold", 0, "hold a roll after this `number` of failures in a row until it is resumed; 0 tries on")
	f.Var(&g.back, "return", "how an earlier revision is rolled out: `KEY=VALUE` of max-surge, max-unavailable, min-ready, hold, separated by commas; empty is like any other")
	f.DurationVar(&g.minReady, "min-ready", 0, "how `long` an instance must be ready before it counts")
	f.DurationVar(&g.healthGrace, "health-grace", 0, "how `long` after its start an instance may be unhealthy")
	f.IntVar(&g.warm, "warm-pool", 0, "`number` of instances that are kept prepared beside the desired ones, for a group that grows")
	f.StringVar(&g.warmState, "warm-state", "stopped", "what those do: stopped (made, not started, take nothing) or paused (started, ready and frozen)")
	f.IntVar(&g.onDemandBase, "on-demand-base", 0, "with --spot: `number` of instances that are on-demand before any is spot")
	f.IntVar(&g.onDemandPercent, "on-demand-percent", 0, "with --spot: per `cent` of those beyond the base that are on-demand")
	f.StringVar(&g.scaleIn, "scale-in", "", "which instance goes first: newest, oldest")
}

// pool is the warm pool that the flags ask for, or nil; was is the present one.
func (g *groupFlags) pool(changed func(string) bool, was *api.WarmPool) *api.WarmPool {
	if !changed("warm-pool") && !changed("warm-state") {
		return nil
	}
	p := api.WarmPool{Size: g.warm, State: api.WarmState(g.warmState)}
	if was != nil && !changed("warm-pool") {
		p.Size = was.Size
	}
	if was != nil && !changed("warm-state") {
		p.State = was.State
	}
	return &p
}

// policy changes p by the flags that were given.
func (g *groupFlags) policy(changed func(string) bool, p *api.UpdatePolicy) (touched bool) {
	for name, set := range map[string]func(){
		"max-surge":       func() { p.MaxSurge = &g.surge },
		"max-unavailable": func() { p.MaxUnavailable = g.unavailable },
		"rollback":        func() { p.Rollback = g.rollback },
		"hold":            func() { p.Hold = g.hold },
		"min-ready":       func() { p.MinReady = api.Duration(g.minReady) },
		"return":          func() { p.Return = g.back.over(p.Return) },
	} {
		if changed(name) {
			set()
			touched = true
		}
	}
	return touched
}

// purchase is the mix of purchase options after the flags that were given.
func (g *groupFlags) purchase(changed func(string) bool, was *api.Purchase) *api.Purchase {
	if !changed("on-demand-base") && !changed("on-demand-percent") {
		return was
	}
	var p api.Purchase
	if was != nil {
		p = *was
	}
	if changed("on-demand-base") {
		p.OnDemandBase = g.onDemandBase
	}
	if changed("on-demand-percent") {
		p.OnDemandPercent = g.onDemandPercent
	}
	return &p
}

type groupCreate struct {
	instanceTemplate
	groupFlags
	replicas, min, max int
	stateful, wait     bool
}

func groupCreateCommand(a *App) *command.Command {
	var g groupCreate
	cmd := &command.Command{
		Use:   "create [flags] --image IMAGE NAME [-- COMMAND [ARG...]]",
		Short: "Make a group",
		Long: "Make a group: so many instances from one template, which are replaced when they end or become unhealthy.\n\n" +
			"The flags of `virga run` describe the template.",
		Example: "  virga group create web --replicas 3 --image nginx -p 80\n" +
			"  virga group create work --replicas 2 --image debian:12 -e QUEUE=q1 -- sleep infinity\n" +
			"  virga group create db --stateful --replicas 3 --image pg --mount type=volume,source=data,target=/var/lib/pg,claim",
		Args: arguments(1, -1),
	}
	f := cmd.Flags()
	g.instanceTemplate.register(f)
	g.groupFlags.register(f)
	f.IntVar(&g.replicas, "replicas", 1, "`number` of instances")
	f.IntVar(&g.min, "min", 0, "fewest instances a scale may ask for")
	f.IntVar(&g.max, "max", 0, "most instances a scale may ask for; 0 is no limit")
	f.BoolVar(&g.stateful, "stateful", false, "give instances stable names, NAME-0 and up, and start them in order")
	f.BoolVar(&g.wait, "wait", false, "wait until all instances are ready")
	cmd.Run = func(cmd *command.Command, args []string) error { return g.run(cmd.Context(), a, f, args) }
	return cmd
}

func (g *groupCreate) run(ctx context.Context, a *App, f *pflag.FlagSet, args []string) error {
	if !f.Changed("replicas") {
		g.replicas = max(g.replicas, g.min)
	}
	err := g.create(ctx, a, "group", f, args, func(s *api.GroupSpec) {
		s.Min, s.Desired, s.Max = g.min, g.replicas, g.max
		s.HealthGrace, s.ScaleIn, s.Stateful = api.Duration(g.healthGrace), g.scaleIn, g.stateful
		s.Warm = g.pool(f.Changed, nil)
		g.policy(f.Changed, &s.Update)
		s.Purchase = g.purchase(f.Changed, nil)
	})
	if err != nil {
		return err
	}
	return a.groupChanged(ctx, args[0], g.wait)
}

// completeGroups offers the names of groups.
func (a *App) completeGroups() completion {
	return completeNames(a.api, (*api.Client).Groups, func(g api.Group) string {
		return g.Name + "\t" + string(g.Status.Phase) + " " + g.Spec.Template.Image
	})
}
