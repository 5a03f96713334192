package cli

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

type groupUpdate struct {
	instanceTemplate
	groupFlags
	unsets []string
	wait   bool
}

func groupUpdateCommand(a *App) *command.Command {
	var g groupUpdate
	cmd := &command.Command{
		Use:   "update [flags] GROUP [-- COMMAND [ARG...]]",
		Short: "Change a group's template and roll it out",
		Long: "Change what the flags name in a group's template, and replace its instances by such of the new template.\n\n" +
			"Variables are added to the template's; every other flag replaces what it names.",
		Example:  "  virga group update web --image nginx:1.28\n  virga group update web -e MODE=prod --unset DEBUG --wait\n  virga group update web --max-surge 3",
		Args:     arguments(1, -1),
		Complete: a.completeGroups(),
	}
	f := cmd.Flags()
	g.instanceTemplate.register(f)
	g.groupFlags.register(f)
	listVar(f, &g.unsets, "unset", "", "take a `variable` away")
	f.BoolVar(&g.wait, "wait", false, "wait until the roll has ended")
	cmd.Run = func(cmd *command.Command, args []string) error { return g.run(cmd.Context(), a, f, args) }
	return cmd
}

func (g *groupUpdate) run(ctx context.Context, a *App, f *pflag.FlagSet, args []string) error {
	now, err := a.api().Group(ctx, args[0])
	if err != nil {
		return err
	}
	r, err := g.update(a, f, now.Spec, args[1:])
	if err != nil {
		return err
	}
	image := now.Spec.Template.Image
	if r.Template != nil {
		image = r.Template.Image
	}
	err = g.withImage(ctx, a, image, func() error {
		now, err = a.api().UpdateGroup(ctx, args[0], r)
		return err
	})
	if err != nil {
		return err
	}
	return a.groupChanged(ctx, now.Name, g.wait)
}

// update is the request that the flags stand for.
func (g *groupUpdate) update(a *App, f *pflag.FlagSet, was api.GroupSpec, command []string) (api.GroupUpdate, error) {
	var u api.GroupUpdate
	image := first(g.image, was.Template.Image)
	want, err := g.request(a, f, append([]string{image}, command...))
	if err != nil {
		return u, err
	}
	t := was.Template
	env := mergeEnv(t.Env, want.Spec.Env, g.unsets)
	overlay(reflect.ValueOf(&t).Elem(), reflect.ValueOf(want.Spec))
	t.Env = env
	// The image is named again to roll out a tag that has moved.
	if g.image != "" || !reflect.DeepEqual(t, was.Template) {
		u.Template = &t
	}
	if len(want.Labels) > 0 {
		u.Labels = maps.Clone(was.Labels)
		if u.Labels == nil {
			u.Labels = map[string]string{}
		}
		maps.Copy(u.Labels, want.Labels)
	}
	policy := was.Update
	if g.policy(f.Changed, &policy) {
		u.Update = &policy
	}
	if f.Changed("health-grace") {
		d := api.Duration(g.healthGrace)
		u.HealthGrace = &d
	}
	u.Warm = g.pool(f.Changed, was.Warm)
	if p := g.purchase(f.Changed, was.Purchase); p != was.Purchase {
		u.Purchase = p
	}
	if f.Changed("scale-in") {
		u.ScaleIn = &g.scaleIn
	}
	if reflect.DeepEqual(u, api.GroupUpdate{}) {
		return u, api.Invalid("flags", "nothing is to be changed").WithHint("name what, such as --image; see `virga group update --help`")
	}
	return u, nil
}

// overlay replaces in to what from names, by field: structs are gone into, and
// a field that is zero or empty names nothing.
func overlay(to, from reflect.Value) {
	for i := range from.NumField() {
		switch v := from.Field(i); {
		case v.Kind() == reflect.Struct:
			overlay(to.Field(i), v)
		case v.Kind() == reflect.Slice || v.Kind() == reflect.Map:
			if v.Len() > 0 {
				to.Field(i).Set(v)
			}
		case !v.IsZero():
			to.Field(i).Set(v)
		}
	}
}

// mergeEnv adds variables to those of a template, and takes some away.
func mergeEnv(was, added, unset []string) []string {
	env := slices.Clone(was)
	drop := func(name string) {
		env = slices.DeleteFunc(env, func(kv string) bool { return strings.HasPrefix(kv, name+"=") })
	}
	for _, name := range unset {
		drop(name)
	}
	for _, kv := range added {
		name, _, _ := strings.Cut(kv, "=")
		drop(name)
		env = append(env, kv)
	}
	return env
}
