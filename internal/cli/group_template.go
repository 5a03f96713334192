package cli

import (
	"context"

	"github.com/spf13/pflag"
	"github.com/virga-cloud/virga/api"
)

// instanceTemplate are the flags of what makes many instances: those of run, and the
// image, which has no place among the arguments.
type instanceTemplate struct {
	specFlags
	image string
}

func (t *instanceTemplate) register(f *pflag.FlagSet) {
	t.specFlags.register(f)
	f.SetInterspersed(true)
	for _, name := range []string{"name", "cidfile", "restart"} {
		_ = f.MarkHidden(name) // the group's own affair
	}
	f.StringVar(&t.image, "image", "", "`image` of the instances")
}

// create makes a group called args[0] of instances that run the rest of args.
// What else it is comes from fill; kind is its name in messages.
func (t *instanceTemplate) create(ctx context.Context, a *App, kind string, f *pflag.FlagSet, args []string, fill func(*api.GroupSpec)) error {
	if t.image == "" {
		verb := map[string]string{"group": "create", "job": "run"}[kind]
		return api.Invalid("spec.template.image", "a %s needs --image", kind).WithHint("virga %s %s %s --image IMAGE", kind, verb, args[0])
	}
	one, err := t.request(a, f, append([]string{t.image}, args[1:]...))
	if err != nil {
		return err
	}
	r := api.GroupRequest{Name: args[0], Labels: one.Labels, Spec: api.GroupSpec{Template: one.Spec, Labels: one.Labels}}
	fill(&r.Spec)
	return t.withImage(ctx, a, t.image, func() error {
		_, err := a.api().CreateGroup(ctx, r)
		return err
	})
}
