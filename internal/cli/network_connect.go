package cli

import (
	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func networkConnectCommand(a *App) *command.Command {
	var r api.ConnectRequest
	cmd := &command.Command{
		Use:      "connect [flags] NETWORK INSTANCE",
		Short:    "Attach an instance to a network, also while it runs",
		Example:  "  virga network connect back web\n  virga network connect --ip 10.20.0.5 --alias database back db",
		Args:     arguments(2, 2),
		Complete: a.completeNetworks(),
		Run: func(cmd *command.Command, args []string) error {
			r.Instance = args[1]
			return a.api().ConnectNetwork(cmd.Context(), args[0], r)
		},
	}
	f := cmd.Flags()
	f.StringVar(&r.Address, "ip", "", "static IPv4 `address`")
	f.StringVar(&r.Address6, "ip6", "", "static IPv6 `address`")
	f.StringVar(&r.MAC, "mac-address", "", "hardware `address`")
	listVar(f, &r.Aliases, "alias", "", "further `name` on the network")
	return cmd
}

func networkDisconnectCommand(a *App) *command.Command {
	cmd := &command.Command{
		Use:      "disconnect [flags] NETWORK INSTANCE",
		Short:    "Detach an instance from a network, also while it runs",
		Example:  "  virga network disconnect back web",
		Args:     arguments(2, 2),
		Complete: a.completeNetworks(),
		Run: func(cmd *command.Command, args []string) error {
			return a.api().DisconnectNetwork(cmd.Context(), args[0], api.DisconnectRequest{Instance: args[1]})
		},
	}
	cmd.Flags().BoolP("force", "f", false, "ignored")
	_ = cmd.Flags().MarkHidden("force")
	return cmd
}
