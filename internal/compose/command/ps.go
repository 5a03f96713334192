package command

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
	"github.com/virga-cloud/virga/internal/compose"
)

func (a *app) ps() *command.Command {
	var asJSON, quiet bool
	cmd := &command.Command{
		Use:     "ps [flags] [SERVICE...]",
		Short:   "List the project's instances",
		Example: "  virga compose ps\n  virga compose ps --json web",
		Run: func(cmd *command.Command, args []string) error {
			name, err := a.projectName(cmd.Context())
			if err != nil {
				return err
			}
			c := a.api()
			defer c.Close()
			list, err := c.Instances(cmd.Context(), api.InstanceFilter{Labels: []string{compose.LabelProject + "=" + name}})
			if err != nil {
				return err
			}
			list = slices.DeleteFunc(list, func(i api.Instance) bool {
				return len(args) > 0 && !slices.Contains(args, i.Labels[compose.LabelService])
			})
			slices.SortFunc(list, func(x, y api.Instance) int { return strings.Compare(x.Name, y.Name) })
			return show(a.out, list, asJSON, quiet)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "print only names")
	return cmd
}

func show(out io.Writer, list []api.Instance, asJSON, quiet bool) error {
	switch {
	case asJSON:
		if list == nil {
			list = []api.Instance{}
		}
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(list)
	case quiet:
		for _, in := range list {
			fmt.Fprintln(out, in.Name)
		}
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 8, 3, ' ', 0)
	fmt.Fprintln(w, "NAME\tSERVICE\tIMAGE\tSTATUS\tPORTS")
	for _, in := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", in.Name, in.Labels[compose.LabelService], in.Spec.Image, status(in), ports(in))
	}
	return w.Flush()
}

// status is the phase, with the health or exit code that goes with it.
func status(in api.Instance) string {
	s := in.Status
	switch {
	case s.Phase == api.PhaseRunning && s.Health != nil:
		return "running (" + s.Health.State + ")"
	case s.Phase == api.PhaseStopped && s.ExitCode != nil:
		return fmt.Sprintf("exited (%d)", *s.ExitCode)
	case s.Phase == api.PhaseFailed && s.Reason != "":
		return "failed: " + s.Reason
	}
	return string(s.Phase)
}

func ports(in api.Instance) string {
	var text []string
	for _, p := range in.Status.Ports {
		protocol := p.Protocol
		if protocol == "" {
			protocol = "tcp"
		}
		host := p.HostIP
		if host == "" {
			host = "0.0.0.0"
		}
		text = append(text, fmt.Sprintf("%s->%d/%s", net.JoinHostPort(host, strconv.Itoa(int(p.HostPort))), p.Port, protocol))
	}
	return strings.Join(text, ", ")
}
