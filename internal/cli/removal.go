package cli

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"
	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

// removal is a command that removes what its arguments name.
type removal struct {
	use, short, example string
	complete            completion
	// forced is what --force does beside forgiving names that do not exist.
	forced string
	flags  func(*pflag.FlagSet) // further ones, or nil
	do     func(ctx context.Context, name string, force bool) error
}

func (r removal) command(a *App) *command.Command {
	var force bool
	cmd := &command.Command{
		Use: r.use, Short: r.short, Example: r.example,
		Args:     arguments(1, -1),
		Complete: r.complete,
		Run: func(cmd *command.Command, args []string) error {
			return each(args, func(name string) error {
				err := r.do(cmd.Context(), name, force)
				if force && api.CodeOf(err) == api.CodeNotFound {
					a.warn("%s", err)
					return nil
				}
				if err != nil {
					return err
				}
				fmt.Fprintln(a.Out, name)
				return nil
			})
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, r.forced+"a name that does not exist is no error")
	if r.flags != nil {
		r.flags(cmd.Flags())
	}
	return cmd
}
