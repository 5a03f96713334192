package cli

import (
	"strconv"

	"github.com/spf13/cobra"
	"github.com/virga-cloud/virga/api"
)

func networkCommand(a *App) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "network",
		Short:   "List and show networks",
		Example: "  virga network ls",
		Args:    noCommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(networkListCommand(a),
		inspectOf(a, "network", "  virga network inspect default\n  virga network inspect --format '{{.Spec.Subnet}}' default", a.completeNetworks,
			func(cmd *cobra.Command, n string) (api.Network, error) { return a.api().Network(cmd.Context(), n) }))
	return cmd
}

var networkColumns = []column[api.Network]{
	{"ID", "NETWORK ID", func(n api.Network) string { return api.ShortID(n.ID) }},
	{"Name", "NAME", func(n api.Network) string { return n.Name }},
	{"Subnet", "SUBNET", func(n api.Network) string { return n.Spec.Subnet.String() }},
	{"Gateway", "GATEWAY", func(n api.Network) string { return n.Spec.Gateway.String() }},
	{"Internal", "INTERNAL", func(n api.Network) string { return strconv.FormatBool(n.Spec.Internal) }},
	{"Instances", "INSTANCES", func(n api.Network) string { return strconv.Itoa(len(n.Instances)) }},
}

func networkListCommand(a *App) *cobra.Command {
	var l listFlags
	cmd := &cobra.Command{
		Use:     "ls [flags]",
		Short:   "List networks",
		Example: "  virga network ls\n  virga network ls --json",
		Args:    arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := a.api().Networks(cmd.Context())
			if err != nil {
				return err
			}
			return listing[api.Network]{
				columns: networkColumns, rows: list, objects: list,
				quiet:  func(n api.Network) string { return n.Name },
				object: func(n api.Network) any { return n },
			}.show(a, l)
		},
	}
	l.register(cmd.Flags())
	return cmd
}
