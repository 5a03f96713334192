package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func serviceCommand(a *App) *command.Command {
	cmd := &command.Command{
		Use:   "service",
		Short: "Give instances a stable name and address, and balance what they get",
		Example: "  virga service create web --select app=web --port 80:8080 --http --publish 8080\n" +
			"  virga service ls\n  curl http://localhost:8080/",
		Args: noCommand,
		Run:  func(cmd *command.Command, _ []string) error { return cmd.Help() },
	}
	cmd.Add(serviceCreateCommand(a), serviceListCommand(a), serviceUpdateCommand(a), serviceRemoveCommand(a), serviceAuthorityCommand(a),
		inspectOf(a, "service", "  virga service inspect web\n  virga service inspect --format '{{.Address}} {{.Status.Up}}' web", a.completeServices(),
			func(cmd *command.Command, n string) (api.Service, error) { return a.api().Service(cmd.Context(), n) }))
	return cmd
}

func (a *App) completeServices() completion {
	return completeNames(a.api, (*api.Client).Services, func(s api.Service) string { return s.Name })
}

func serviceListCommand(a *App) *command.Command {
	var l listFlags
	cmd := &command.Command{
		Use:     "ls [flags]",
		Short:   "List services",
		Example: "  virga service ls\n  virga service ls --json",
		Args:    arguments(0, 0),
		Run: func(cmd *command.Command, _ []string) error {
			list, err := a.api().Services(cmd.Context())
			if err != nil {
				return err
			}
			return listing[api.Service]{
				columns: serviceColumns, rows: list, objects: list,
				quiet:  func(s api.Service) string { return s.Name },
				object: func(s api.Service) any { return s },
			}.show(a, l)
		},
	}
	l.register(cmd.Flags())
	return cmd
}

var serviceColumns = []column[api.Service]{
	{"Name", "NAME", func(s api.Service) string { return s.Name }},
	{"Address", "ADDRESS", func(s api.Service) string { return s.Address.String() }},
	{"Ports", "PORTS", func(s api.Service) string { return servicePorts(s.Spec.Ports) }},
	{"Selector", "SELECTOR", func(s api.Service) string { return serviceSelector(s.Spec.Selector) }},
	{"Up", "UP", func(s api.Service) string { return fmt.Sprintf("%d/%d", s.Status.Up, len(s.Status.Backends)) }},
	{"Problems", "PROBLEMS", func(s api.Service) string { return dash(strings.Join(s.Status.Problems, "; ")) }},
}

func servicePorts(ports []api.ServicePort) string {
	var out []string
	for _, p := range ports {
		text := strconv.Itoa(int(p.Port))
		if p.Target != p.Port {
			text += ":" + strconv.Itoa(int(p.Target))
		}
		text += "/" + p.Protocol
		if p.Publish != 0 {
			text = "*:" + strconv.Itoa(int(p.Publish)) + "->" + text
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

func serviceSelector(s api.ServiceSelector) string {
	var out []string
	if s.Group != "" {
		out = append(out, "group "+s.Group)
	}
	if len(s.Labels) > 0 {
		out = append(out, joinLabels(s.Labels))
	}
	return dash(strings.Join(out, ", "))
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func serviceRemoveCommand(a *App) *command.Command {
	return removal{
		use: "rm [flags] SERVICE...", short: "Remove services; their instances stay", example: "  virga service rm web",
		complete: a.completeServices(),
		do:       func(ctx context.Context, name string, _ bool) error { return a.api().RemoveService(ctx, name) },
	}.command(a)
}

func serviceAuthorityCommand(a *App) *command.Command {
	return &command.Command{
		Use:     "ca",
		Short:   "Print the certificate that clients of https services trust",
		Example: "  virga service ca > virga-ca.pem\n  curl --cacert virga-ca.pem https://localhost:8443/",
		Args:    arguments(0, 0),
		Run: func(cmd *command.Command, _ []string) error {
			pem, err := a.api().Authority(cmd.Context())
			if err != nil {
				return err
			}
			_, err = io.WriteString(a.Out, pem)
			return err
		},
	}
}
