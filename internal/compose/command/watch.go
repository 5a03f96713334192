package command

import (
	"time"

	"github.com/virga-cloud/virga/internal/command"
	"github.com/virga-cloud/virga/internal/compose"
	"github.com/virga-cloud/virga/internal/compose/deploy"
)

// watchEvery is the time between two looks at what is watched.
const watchEvery = 500 * time.Millisecond

func (a *app) watch() *command.Command {
	var noUp bool
	cmd := &command.Command{
		Use:   "watch [flags] [SERVICE...]",
		Short: "Bring changes of files to the running instances",
		Long: "Bring the project up, then bring changes of files to its instances, as develop.watch of its services says, until ctrl-c.\n\n" +
			"Actions are sync, restart and sync+restart. rebuild needs a builder, which virga does not have: import the new image and run `virga up -d`.",
		Example: "  virga watch\n  virga compose watch --no-up web",
		Run: func(cmd *command.Command, args []string) error {
			return a.withPlan(cmd.Context(), args, func(d *deploy.Deployment, plan *compose.Plan) error {
				if !noUp {
					if err := d.Up(cmd.Context(), plan, deploy.UpOptions{}); err != nil {
						return err
					}
				}
				return d.Watch(cmd.Context(), plan, watchEvery)
			})
		},
	}
	cmd.Flags().BoolVar(&noUp, "no-up", false, "do not bring the project up first")
	return cmd
}
