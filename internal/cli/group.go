package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/virga-cloud/virga/api"
)

func groupCommand(a *App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "group",
		Short: "Make groups of equal instances, and scale, update and remove them",
		Example: "  virga group create web --replicas 3 --image nginx:1.27\n  virga group scale web --min 2 --max 10 --cpu 70\n" +
			"  virga group update web --image nginx:1.28\n  virga group history web",
		Args: noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(groupCreateCommand(a), groupListCommand(a),
		inspectOf(a, "group", "  virga group inspect web\n  virga group inspect --format '{{.Status.Ready}} of {{.Spec.Desired}}' web", a.completeGroups,
			func(cmd *cobra.Command, n string) (api.Group, error) { return a.api().Group(cmd.Context(), n) }),
		groupUpdateCommand(a), groupScaleCommand(a), groupRolloutCommand(a), groupProtectCommand(a), groupRemoveCommand(a), groupHistoryCommand(a))
	return cmd
}

// groupFlags are the flags of a group's policies.
type groupFlags struct {
	surge, unavailable, rollback int
	minReady, healthGrace        time.Duration
	scaleIn                      string
}

func (g *groupFlags) register(f *pflag.FlagSet) {
	f.IntVar(&g.surge, "max-surge", 1, "instances beyond the desired `number` during a roll")
	f.IntVar(&g.unavailable, "max-unavailable", 0, "instances fewer than the desired `number` during a roll")
	f.IntVar(&g.rollback, "rollback", 0, "return to the revision before after this `number` of failures in a row; 0 does not")
	f.DurationVar(&g.minReady, "min-ready", 0, "how `long` an instance must be ready before it counts")
	f.DurationVar(&g.healthGrace, "health-grace", 0, "how `long` after its start an instance may be unhealthy")
	f.StringVar(&g.scaleIn, "scale-in", "", "which instance goes first: newest, oldest")
}

// policy changes p by the flags that were given.
func (g *groupFlags) policy(changed func(string) bool, p *api.UpdatePolicy) (touched bool) {
	for name, set := range map[string]func(){
		"max-surge":       func() { p.MaxSurge = &g.surge },
		"max-unavailable": func() { p.MaxUnavailable = g.unavailable },
		"rollback":        func() { p.Rollback = g.rollback },
		"min-ready":       func() { p.MinReady = api.Duration(g.minReady) },
	} {
		if changed(name) {
			set()
			touched = true
		}
	}
	return touched
}

type groupCreate struct {
	specFlags
	groupFlags
	image              string
	replicas, min, max int
	stateful, wait     bool
}

// registerTemplate registers the flags of run that describe an instance.
func (s *specFlags) registerTemplate(f *pflag.FlagSet) {
	s.register(f)
	f.SetInterspersed(true)
	for _, name := range []string{"name", "cidfile", "restart"} {
		_ = f.MarkHidden(name) // the group's own affair
	}
}

func groupCreateCommand(a *App) *cobra.Command {
	var g groupCreate
	cmd := &cobra.Command{
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
	g.registerTemplate(f)
	g.groupFlags.register(f)
	f.StringVar(&g.image, "image", "", "`image` of the instances")
	f.IntVar(&g.replicas, "replicas", 1, "`number` of instances")
	f.IntVar(&g.min, "min", 0, "fewest instances a scale may ask for")
	f.IntVar(&g.max, "max", 0, "most instances a scale may ask for; 0 is no limit")
	f.BoolVar(&g.stateful, "stateful", false, "give instances stable names, NAME-0 and up, and start them in order")
	f.BoolVar(&g.wait, "wait", false, "wait until all instances are ready")
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return g.run(cmd.Context(), a, f, args) }
	return cmd
}

func (g *groupCreate) run(ctx context.Context, a *App, f *pflag.FlagSet, args []string) error {
	if g.image == "" {
		return api.Invalid("spec.template.image", "a group needs --image").WithHint("virga group create %s --image IMAGE", args[0])
	}
	one, err := g.request(a, f, append([]string{g.image}, args[1:]...))
	if err != nil {
		return err
	}
	if !f.Changed("replicas") {
		g.replicas = max(g.replicas, g.min)
	}
	r := api.GroupRequest{Name: args[0], Labels: one.Labels, Spec: api.GroupSpec{
		Template: one.Spec, Labels: one.Labels, Min: g.min, Desired: g.replicas, Max: g.max,
		HealthGrace: api.Duration(g.healthGrace), ScaleIn: g.scaleIn, Stateful: g.stateful,
	}}
	g.policy(f.Changed, &r.Spec.Update)
	var made api.Group
	err = g.withImage(ctx, a, g.image, func() (err error) {
		made, err = a.api().CreateGroup(ctx, r)
		return err
	})
	if err != nil {
		return err
	}
	if g.wait {
		if err := a.waitSteady(ctx, made.Name, true); err != nil {
			return err
		}
	}
	fmt.Fprintln(a.Out, made.Name)
	return nil
}

// withImage does what needs an image, and pulls it as --pull says.
func (s *specFlags) withImage(ctx context.Context, a *App, image string, do func() error) error {
	if s.pull == "always" {
		if err := s.fetch(ctx, a, image); err != nil {
			return err
		}
	}
	err := do()
	if s.pull == "missing" && missingImage(err) {
		fmt.Fprintf(a.Err, "image %s is not here yet; pulling it\n", image)
		if err := s.fetch(ctx, a, image); err != nil {
			return err
		}
		err = do()
	}
	return err
}

// completeGroups offers the names of groups.
func (a *App) completeGroups(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	list, err := a.api().Groups(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, g := range list {
		if !slices.Contains(args, g.Name) {
			names = append(names, g.Name+"\t"+string(g.Status.Phase)+" "+g.Spec.Template.Image)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
