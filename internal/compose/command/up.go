package command

import (
	"context"
	"errors"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
	"github.com/virga-cloud/virga/internal/compose"
	"github.com/virga-cloud/virga/internal/compose/deploy"
)

func (a *app) up() *command.Command {
	var o deploy.UpOptions
	var detach, alone, build bool
	var scales []string
	cmd := &command.Command{
		Use:   "up [flags] [SERVICE...]",
		Short: "Make and start what the Compose file describes",
		Long: "Make and start what the Compose file describes. What is there already and as it should be is left alone.\n\n" +
			"Without -d the output of all services follows, and ctrl-c stops them.",
		Example: "  virga up\n  virga up -d --wait\n  virga -f prod.yaml up -d --remove-orphans web\n  virga up -d --scale worker=5",
		Run: func(cmd *command.Command, args []string) error {
			if err := a.chosen(alone, scales, args); err != nil {
				return err
			}
			if o.ForceRecreate && o.NoRecreate {
				return api.Invalid("no-recreate", "--force-recreate and --no-recreate exclude each other")
			}
			if build {
				return api.Errorf(api.CodeNotSupported, "virga builds no images").
					WithHint("build them with another program, and bring them in with `virga image import FILE NAME`")
			}
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
	f.BoolVar(&o.NoRecreate, "no-recreate", false, "leave what there is, also when it differs from the file")
	f.BoolVar(&alone, "no-deps", false, "leave out what the named services depend on")
	f.StringArrayVar(&scales, "scale", nil, "number of instances of a service (`SERVICE=NUMBER`), instead of the file's")
	f.StringVar(&a.source.Pull, "pull", "", "`when` to fetch images: missing, always, never (default the file's)")
	f.BoolVar(&build, "build", false, "refused: virga builds no images")
	f.DurationVar(&o.WaitTimeout, "wait-timeout", 0, "most time to wait with --wait, such as 30s (default no limit)")
	f.BoolVar(&o.NoStart, "no-start", false, "make everything, start nothing")
	f.BoolVar(&o.Wait, "wait", false, "wait until everything runs and is healthy; includes -d")
	return cmd
}

// chosen takes the flags that change which services are brought up and how
// many instances of them.
func (a *app) chosen(alone bool, scales, services []string) error {
	if alone && len(services) == 0 {
		return api.Invalid("no-deps", "--no-deps needs the names of services")
	}
	a.source.Alone = alone
	for _, s := range scales {
		service, number, _ := strings.Cut(s, "=")
		n, err := strconv.Atoi(number)
		if err != nil || n < 0 || service == "" {
			return api.Invalid("scale", "--scale %q: want SERVICE=NUMBER, such as web=3", s)
		}
		if a.source.Scale == nil {
			a.source.Scale = map[string]int{}
		}
		a.source.Scale[service] = n
	}
	return nil
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
