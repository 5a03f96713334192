package cli

import (
	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func inspectCommand(a *App) *command.Command {
	var format, kind string
	cmd := &command.Command{
		Use:      "inspect [flags] NAME...",
		Short:    "Show all about instances, images, volumes or networks",
		Example:  "  virga inspect web\n  virga inspect --format '{{.Status.PID}} {{(index .Status.Addresses 0).Address}}' web\n  virga inspect --type volume data",
		Args:     arguments(1, -1),
		Complete: a.completeAnything,
		Values:   map[string]completion{"type": oneOf("instance", "image", "volume", "network")},
	}
	f := cmd.Flags()
	f.StringVarP(&format, "format", "f", "", "print each with a Go `template`")
	f.StringVar(&kind, "type", "", "look only among: instance, image, volume, network")
	cmd.Run = func(cmd *command.Command, args []string) error {
		ctx, c := cmd.Context(), a.api()
		kinds := []struct {
			name string
			find func(string) (any, error)
		}{
			{"instance", func(n string) (any, error) { return c.Instance(ctx, n) }},
			{"image", func(n string) (any, error) { return c.Image(ctx, n) }},
			{"volume", func(n string) (any, error) { return c.Volume(ctx, n) }},
			{"network", func(n string) (any, error) { return c.Network(ctx, n) }},
		}
		var found []any
		if kind == "container" { // Docker's word
			kind = "instance"
		}
		err := each(args, func(name string) error {
			known := false
			for _, k := range kinds {
				if kind != "" && kind != k.name {
					continue
				}
				known = true
				o, err := k.find(name)
				if err == nil {
					found = append(found, o)
					return nil
				}
				if code := api.CodeOf(err); kind != "" || code != api.CodeNotFound && code != api.CodeInvalid {
					return err
				}
			}
			if !known {
				return api.Invalid("type", "--type %q: want instance, image, volume or network", kind)
			}
			return api.Errorf(api.CodeNotFound, "nothing is called %s", name).WithHint("see `virga ps -a`, `virga images`, `virga volume ls` and `virga network ls`")
		})
		if len(found) == 0 && err != nil {
			return err
		}
		if e := a.inspected(found, format); e != nil {
			return e
		}
		return err
	}
	return cmd
}

// inspectOf is the inspect command of one kind of object.
func inspectOf[T any](a *App, noun, example string, complete completion, find func(*command.Command, string) (T, error)) *command.Command {
	var format string
	cmd := &command.Command{
		Use:      "inspect [flags] NAME...",
		Short:    "Show all about " + noun + "s",
		Example:  example,
		Args:     arguments(1, -1),
		Complete: complete,
		Run: func(cmd *command.Command, args []string) error {
			var found []any
			err := each(args, func(name string) error {
				o, err := find(cmd, name)
				if err == nil {
					found = append(found, o)
				}
				return err
			})
			if len(found) == 0 && err != nil {
				return err
			}
			if e := a.inspected(found, format); e != nil {
				return e
			}
			return err
		},
	}
	cmd.Flags().StringVarP(&format, "format", "f", "", "print each with a Go `template`")
	return cmd
}
