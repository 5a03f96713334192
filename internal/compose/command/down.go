package command

import (
	"github.com/virga-cloud/virga/internal/command"
	"github.com/virga-cloud/virga/internal/compose/deploy"
)

func (a *app) down() *command.Command {
	var volumes, orphans bool
	cmd := &command.Command{
		Use:     "down [flags]",
		Short:   "Stop and remove all of the project",
		Long:    "Stop and remove all of the project: instances, groups, services and networks. With -p no file is needed.",
		Example: "  virga down\n  virga down -v\n  virga down -p shop",
		Args:    command.NoArgs,
		Run: func(cmd *command.Command, _ []string) error {
			return a.withDeployment(cmd.Context(), func(d *deploy.Deployment) error { return d.Down(cmd.Context(), volumes) })
		},
	}
	cmd.Flags().BoolVarP(&volumes, "volumes", "v", false, "remove the project's volumes too")
	cmd.Flags().BoolVar(&orphans, "remove-orphans", false, "accepted for scripts: all of the project is removed anyway")
	return cmd
}

func (a *app) stopCommand() *command.Command {
	return &command.Command{
		Use:   "stop",
		Short: "Stop all of the project and keep it",
		Args:  command.NoArgs,
		Run: func(cmd *command.Command, _ []string) error {
			return a.withDeployment(cmd.Context(), func(d *deploy.Deployment) error { return d.Stop(cmd.Context()) })
		},
	}
}
