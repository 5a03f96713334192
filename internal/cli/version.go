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
	Client clientVersion    `json:"client"`
	Daemon *api.VersionInfo `json:"daemon,omitempty"`
}

// clientVersion is what the command was built from and for.
type clientVersion struct {
	Version   string `json:"version"`
	GoVersion string `json:"go"`
	OS        string `json:"os"`
	Arch      string `json:"arch"`
}

// Server is Docker's word for the daemon.
func (v versions) Server() (api.VersionInfo, error) {
	if v.Daemon == nil {
		return api.VersionInfo{}, errors.New("the daemon was not asked, or does not answer")
	}
	return *v.Daemon, nil
}

func versionCommand(a *App) *command.Command {
	var client, asJSON bool
	var format string
	cmd := &command.Command{
		Use:     "version [flags]",
		Short:   "Show the versions of the command and of the daemon",
		Example: "  virga version\n  virga version --client --json\n  virga version --format '{{.Server.Version}}'",
		Args:    arguments(0, 0),
		Run: func(cmd *command.Command, _ []string) error {
			v := versions{Client: clientVersion{a.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH}}
			var unreachable error
			if !client {
				d, err := a.api().Version(cmd.Context())
				if err == nil {
					v.Daemon = &d
				}
				unreachable = err
			}
			if asJSON || format == "json" {
				return errors.Join(printJSON(a.Out, v), unreachable)
			}
			if format != "" {
				if err := a.inspected([]any{v}, format); unreachable == nil {
					return err
				}
				return unreachable
			}
			fmt.Fprintf(a.Out, "virga %s (%s, %s/%s)\n", v.Client.Version, v.Client.GoVersion, v.Client.OS, v.Client.Arch)
			if v.Daemon != nil {
				fmt.Fprintf(a.Out, "daemon %s (API %s)\n", v.Daemon.Version, v.Daemon.API)
			}
			return unreachable
		},
	}
	cmd.Flags().BoolVar(&client, "client", false, "do not ask the daemon")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVarP(&format, "format", "f", "", "print with a Go `template`")
	return cmd
}
