package cli

import (
	"fmt"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func serviceCreateCommand(a *App) *command.Command {
	var f serviceFlags
	var labels []string
	cmd := &command.Command{
		Use:   "create [flags] NAME",
		Short: "Put a service in front of instances",
		Long: "Put a service in front of the instances that a label or a group chooses.\n\n" +
			"It is called NAME and NAME.PROJECT.virga.internal. Ports of tcp and udp are balanced by the kernel, those of http\n" +
			"and https by virga's proxy. A stop of an instance waits until its HTTP requests have ended.",
		Example: "  virga service create web --select app=web --port 80:8080 --http --publish 8080\n" +
			"  virga service create db --group db --port 5432 --affinity source\n" +
			"  virga service create shop --select app=shop --port 443:8080/https --publish 443 --path /api=api --check http:/health",
		Args: arguments(1, 1),
		Run: func(cmd *command.Command, args []string) error {
			r := api.ServiceRequest{Name: args[0]}
			var err error
			if r.Labels, err = readLabels(labels, nil); err != nil {
				return err
			}
			if err := f.apply(&r.Spec, cmd.Flags().Changed); err != nil {
				return err
			}
			s, err := a.api().CreateService(cmd.Context(), r)
			if err != nil {
				return err
			}
			for _, p := range s.Status.Problems {
				a.warn("%s", p)
			}
			fmt.Fprintln(a.Out, s.Name)
			return nil
		},
	}
	f.register(cmd.Flags())
	cmd.Flags().StringArrayVarP(&labels, "label", "l", nil, "set a label (`KEY=VALUE`)")
	cmd.Flags().StringVar(&f.network, "network", "", "`network` of its address (default default)")
	cmd.Flags().StringVar(&f.address, "address", "", "`address` wanted (default a free one)")
	return cmd
}

func serviceUpdateCommand(a *App) *command.Command {
	var f serviceFlags
	cmd := &command.Command{
		Use:      "update [flags] SERVICE",
		Short:    "Change a service; what no flag names stays",
		Example:  "  virga service update web --check http:/health --drain 30s\n  virga service update web --publish 80",
		Args:     arguments(1, 1),
		Complete: a.completeServices(),
		Run: func(cmd *command.Command, args []string) error {
			s, err := a.api().Service(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if err := f.apply(&s.Spec, cmd.Flags().Changed); err != nil {
				return err
			}
			if s, err = a.api().UpdateService(cmd.Context(), s.ID, s.Spec); err != nil {
				return err
			}
			for _, p := range s.Status.Problems {
				a.warn("%s", p)
			}
			fmt.Fprintln(a.Out, s.Name)
			return nil
		},
	}
	f.register(cmd.Flags())
	return cmd
}
