package cli

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
	"github.com/virga-cloud/virga/api"
)

// versions is what version prints.
type versions struct {
	Client string           `json:"client"`
	Go     string           `json:"go"`
	Daemon *api.VersionInfo `json:"daemon,omitempty"`
}

func versionCommand(a *App) *cobra.Command {
	var daemon, asJSON bool
	cmd := &cobra.Command{
		Use:     "version [flags]",
		Short:   "Show the version of the command, and of the daemon with --daemon",
		Example: "  virga version\n  virga version --daemon --json",
		Args:    arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := versions{Client: a.Version, Go: runtime.Version()}
			if daemon {
				d, err := a.api().Version(cmd.Context())
				if err != nil {
					return err
				}
				v.Daemon = &d
			}
			if asJSON {
				return printJSON(a.Out, v)
			}
			fmt.Fprintf(a.Out, "virga %s (%s)\n", v.Client, v.Go)
			if v.Daemon != nil {
				fmt.Fprintf(a.Out, "daemon %s (API %s)\n", v.Daemon.Version, v.Daemon.API)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&daemon, "daemon", false, "ask the daemon for its version too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
