package cli

import (
	"net/netip"
	"slices"
	"strconv"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func networkCommand(a *App) *command.Command {
	cmd := &command.Command{
		Use:     "network",
		Short:   "Make, list and remove networks",
		Example: "  virga network create --internal back\n  virga run -d --network back --name db postgres",
		Args:    noCommand,
		Run:     func(cmd *command.Command, _ []string) error { return cmd.Help() },
	}
	cmd.Add(networkCreateCommand(a), networkListCommand(a), networkRemoveCommand(a), networkPruneCommand(a), networkConnectCommand(a), networkDisconnectCommand(a),
		networkRuleCommand(a, api.RuleAllow, "Let instances open connections to others"),
		networkRuleCommand(a, api.RuleDeny, "Keep instances from opening connections to others"), networkRulesCommand(a),
		inspectOf(a, "network", "  virga network inspect default\n  virga network inspect --format '{{.Spec.Subnet}}' default", a.completeNetworks(),
			func(cmd *command.Command, n string) (api.Network, error) { return a.api().Network(cmd.Context(), n) }))
	return cmd
}

var networkColumns = []column[api.Network]{
	{"ID", "NETWORK ID", func(n api.Network) string { return api.ShortID(n.ID) }},
	{"Name", "NAME", func(n api.Network) string { return n.Name }},
	{"Subnet", "SUBNET", func(n api.Network) string { return n.Spec.Subnet.String() }},
	{"Gateway", "GATEWAY", func(n api.Network) string { return n.Spec.Gateway.String() }},
	{"Subnet6", "IPV6 SUBNET", func(n api.Network) string { return prefixText(n.Spec.Subnet6) }},
	{"Internal", "INTERNAL", func(n api.Network) string { return strconv.FormatBool(n.Spec.Internal) }},
	{"Instances", "INSTANCES", func(n api.Network) string { return strconv.Itoa(len(n.Instances)) }},
}

func prefixText(p netip.Prefix) string {
	if !p.IsValid() {
		return "-"
	}
	return p.String()
}

// networkFilters are those of network ls.
func networkFilters() filterKeys[api.Network] {
	k := objectFilters(func(n api.Network) api.Meta { return n.Meta })
	k["dangling"] = switchFilter("dangling", func(n api.Network) bool { return len(n.Instances) == 0 })
	k["internal"] = switchFilter("internal", func(n api.Network) bool { return n.Spec.Internal })
	k["driver"] = textFilter(func(_ api.Network, want string) bool { return want == "bridge" })
	return k
}

func networkListCommand(a *App) *command.Command {
	var l listFlags
	var filters []string
	cmd := &command.Command{
		Use:     "ls [flags]",
		Short:   "List networks",
		Long:    "List networks.\n\nFilters: name=[^]PART[$], id=PREFIX, label=KEY[=VALUE], dangling=true|false (no instance is on it), internal=true|false.",
		Example: "  virga network ls\n  virga network ls --filter label=app=shop\n  virga network ls --json",
		Args:    arguments(0, 0),
		Run: func(cmd *command.Command, _ []string) error {
			match, err := networkFilters().parse(filters)
			if err != nil {
				return err
			}
			list, err := a.api().Networks(cmd.Context())
			if err != nil {
				return err
			}
			list = slices.DeleteFunc(list, func(n api.Network) bool { return !match(n) })
			return listing[api.Network]{
				columns: networkColumns, rows: list, objects: list,
				quiet:  func(n api.Network) string { return n.Name },
				object: func(n api.Network) any { return n },
			}.show(a, l)
		},
	}
	l.register(cmd.Flags())
	listVar(cmd.Flags(), &filters, "filter", "f", "show only those that match `KEY=VALUE`")
	return cmd
}
