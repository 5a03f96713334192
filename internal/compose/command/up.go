package command

import (
	"context"
	"errors"
	"os/signal"
	"syscall"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
	"github.com/virga-cloud/virga/internal/compose"
	"github.com/virga-cloud/virga/internal/compose/deploy"
)

func (a *app) up() *command.Command {
	var o deploy.UpOptions
	var detach bool
	cmd := &command.Command{
		Use:   "up [flags] [SERVICE...]",
		Short: "Make and start what the Compose file describes",
		Long: "Make and start what the Compose file describes. What is there already and as it should be is left alone.\n\n" +
			"Without -d the output of all services follows, and ctrl-c stops them.",
		Example: "  virga up\n  virga up -d --wait\n  virga -f prod.yaml up -d --remove-orphans web",
		Run: func(cmd *command.Command, args []string) error {
			return a.withPlan(cmd.Context(), args, func(d *deploy.Deployment, plan *compose.Plan) error {
				if err := d.Up(cmd.Context(), plan, o); err != nil || detach || o.Wait || o.NoStart {
					return err
				}
				return a.attached(cmd.Context(), d, plan)
			})
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&detach, "detach", "d", false, "do not show the output")
	f.BoolVar(&o.RemoveOrphans, "remove-orphans", false, "remove what belongs to services that the file no longer has")
	f.BoolVar(&o.ForceRecreate, "force-recreate", false, "replace all, also what is as it should be")
	f.BoolVar(&o.NoStart, "no-start", false, "make everything, start nothing")
	f.BoolVar(&o.Wait, "wait", false, "wait until everything runs and is healthy; includes -d")
	return cmd
}

// attached shows the output until nothing runs any more. The first signal
// stops everything, a second one ends the command.
func (a *app) attached(ctx context.Context, d *deploy.Deployment, plan *compose.Plan) error {
	o := deploy.LogOptions{LogOptions: api.LogOptions{Follow: true, Tail: -1}, UntilEnded: true}
	for _, w := range plan.Workloads {
		if w.Quiet {
			o.Without = append(o.Without, w.Service)
		}
	}
	err := d.Logs(ctx, o)
	if ctx.Err() == nil {
		return err
	}
	a.stop() // a second signal has its usual effect
	signal.Reset(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	d.Progress.Say("project", plan.Project, "stops; ctrl-c again to leave it")
	if err := d.Stop(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	return errors.Join(context.Cause(ctx))
}
