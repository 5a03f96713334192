package command

import (
	"strconv"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
	"github.com/virga-cloud/virga/internal/compose/deploy"
)

func (a *app) logs() *command.Command {
	var o deploy.LogOptions
	var tail string
	cmd := &command.Command{
		Use:     "logs [flags] [SERVICE...]",
		Short:   "Show what the project's instances have written",
		Example: "  virga compose logs -f --tail 20\n  virga compose logs web worker",
		Run: func(cmd *command.Command, args []string) error {
			o.Tail = -1
			if tail != "all" {
				n, err := strconv.Atoi(tail)
				if err != nil || n < -1 {
					return api.Invalid("tail", "--tail %q: want a number of lines or all", tail)
				}
				o.Tail = n
			}
			o.Services = args
			return a.withDeployment(cmd.Context(), func(d *deploy.Deployment) error { return d.Logs(cmd.Context(), o) })
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&o.Follow, "follow", "f", false, "go on, also with instances that come later")
	f.StringVar(&o.Since, "since", "", "only lines after a `time` (RFC 3339) or a duration before now (10m)")
	f.StringVar(&o.Until, "until", "", "only lines before a `time` or duration")
	f.StringVarP(&tail, "tail", "n", "all", "`number` of lines from the end of each log, or all")
	f.BoolVarP(&o.Timestamps, "timestamps", "t", false, "show the time of each line")
	f.BoolVar(&o.NoPrefix, "no-log-prefix", false, "show lines without the instance's name")
	return cmd
}
