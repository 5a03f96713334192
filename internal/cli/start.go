package cli

import (
	"context"
	"fmt"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

type start struct {
	attach      bool
	interactive bool
	detachKeys  string
}

func startCommand(a *App) *command.Command {
	var s start
	cmd := &command.Command{
		Use:      "start [flags] INSTANCE...",
		Short:    "Start stopped instances",
		Example:  "  virga start web db\n  virga start -ai shell",
		Args:     arguments(1, -1),
		Complete: a.completeInstances(stopped, -1),
		Run:      func(cmd *command.Command, args []string) error { return s.run(cmd.Context(), a, args) },
	}
	f := cmd.Flags()
	f.BoolVarP(&s.attach, "attach", "a", false, "show its output and pass on signals")
	f.BoolVarP(&s.interactive, "interactive", "i", false, "connect standard input")
	f.StringVar(&s.detachKeys, "detach-keys", defaultDetachKeys, "`keys` that leave the instance running")
	return cmd
}

func (s *start) run(ctx context.Context, a *App, args []string) error {
	if !s.attach && !s.interactive {
		return each(args, func(id string) error {
			told := a.tellWait(ctx, id)
			err := a.api().Start(ctx, id)
			told()
			if err != nil {
				return err
			}
			fmt.Fprintln(a.Out, id)
			return nil
		})
	}
	if len(args) > 1 {
		return api.Invalid("attach", "only one instance can be attached to at a time")
	}
	c := attach{noStdin: !s.interactive, sigProxy: true, detachKeys: s.detachKeys, start: true}
	return c.run(ctx, a, args[0])
}
