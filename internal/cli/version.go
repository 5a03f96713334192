package cli

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

// versions is what version prints.
type versions struct {
	Client string           `json:"client"`
	Go     string           `json:"go"`
	Daemon *api.VersionInfo `json:"daemon,omitempty"`
}

func versionCommand(a *App) *command.Command {
	var client, asJSON bool
	cmd := &command.Command{
		Use:     "version [flags]",
		Short:   "Show the versions of the command and of the daemon",
		Example: "  virga version\n  virga version --client --json",
		Args:    arguments(0, 0),
		Run: func(cmd *command.Command, _ []string) error {
			v := versions{Client: a.Version, Go: runtime.Version()}
			var unreachable error
			if !client {
				d, err := a.api().Version(cmd.Context())
				if err == nil {
					v.Daemon = &d
				}
				unreachable = err
			}
			if asJSON {
				return errors.Join(printJSON(a.Out, v), unreachable)
			}
			fmt.Fprintf(a.Out, "virga %s (%s)\n", v.Client, v.Go)
			if v.Daemon != nil {
				fmt.Fprintf(a.Out, "daemon %s (API %s)\n", v.Daemon.Version, v.Daemon.API)
			}
			return unreachable
		},
	}
	cmd.Flags().BoolVar(&client, "client", false, "do not ask the daemon")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
