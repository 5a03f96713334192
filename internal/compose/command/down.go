package command

import (
	"github.com/spf13/cobra"
	"github.com/virga-cloud/virga/internal/compose/deploy"
)

func (a *app) down() *cobra.Command {
	var volumes, orphans bool
	cmd := &cobra.Command{
		Use:     "down [flags]",
		Short:   "Stop and remove all of the project",
		Long:    "Stop and remove all of the project: instances, groups, services and networks. With -p no file is needed.",
		Example: "  virga down\n  virga down -v\n  virga down -p shop",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withDeployment(cmd.Context(), func(d *deploy.Deployment) error { return d.Down(cmd.Context(), volumes) })
		},
	}
	cmd.Flags().BoolVarP(&volumes, "volumes", "v", false, "remove the project's volumes too")
	cmd.Flags().BoolVar(&orphans, "remove-orphans", false, "accepted for scripts: all of the project is removed anyway")
	return cmd
}

func (a *app) stopCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "stop",
		Short: "Stop all of the project and keep it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withDeployment(cmd.Context(), func(d *deploy.Deployment) error { return d.Stop(cmd.Context()) })
		},
	}
}
