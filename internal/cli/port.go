package cli

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func portCommand(a *App) *command.Command {
	return &command.Command{
		Use:      "port INSTANCE [PORT[/PROTOCOL]]",
		Short:    "Show where an instance's ports are published",
		Example:  "  virga port web\n  curl http://$(virga port web 80)",
		Args:     arguments(1, 2),
		Complete: a.completeInstances(anyPhase, 1),
		Run: func(cmd *command.Command, args []string) error {
			i, err := a.api().Instance(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			ports := i.Status.Ports
			if len(ports) == 0 {
				ports = i.Spec.Ports
			}
			if len(args) == 1 {
				for _, p := range ports {
					fmt.Fprintf(a.Out, "%s -> %s\n", instancePort(p), hostAddress(p))
				}
				return nil
			}
			want := args[1]
			if !strings.Contains(want, "/") {
				want += "/tcp"
			}
			found := false
			for _, p := range ports {
				if instancePort(p) == want {
					found = true
					fmt.Fprintln(a.Out, hostAddress(p))
				}
			}
			if !found {
				return api.Errorf(api.CodeNotFound, "instance %s does not publish port %s", i.Name, want)
			}
			return nil
		},
	}
}

func instancePort(p api.Port) string {
	return strconv.Itoa(int(p.Port)) + "/" + first(p.Protocol, "tcp")
}

func hostAddress(p api.Port) string {
	return net.JoinHostPort(first(p.HostIP, "0.0.0.0"), strconv.Itoa(int(p.HostPort)))
}

func joinLabels(labels map[string]string) string {
	var text []string
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		text = append(text, k+"="+labels[k])
	}
	return strings.Join(text, ",")
}
