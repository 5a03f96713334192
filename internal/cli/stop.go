package cli

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"
	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

// stopFlags override how an instance is stopped this once.
type stopFlags struct {
	signal  string
	seconds int
}

func (s *stopFlags) register(f *pflag.FlagSet) {
	f.StringVarP(&s.signal, "signal", "s", "", "`signal` to send (default the instance's)")
	f.IntVarP(&s.seconds, "time", "t", 0, "`seconds` until it is killed; -1 waits for ever (default the instance's, else 10)")
	f.IntVar(&s.seconds, "timeout", 0, "same as --time")
	_ = f.MarkHidden("timeout")
}

func (s *stopFlags) request(f *pflag.FlagSet) api.StopRequest {
	r := api.StopRequest{Signal: s.signal}
	if f.Changed("time") || f.Changed("timeout") {
		d := api.Duration(time.Duration(s.seconds) * time.Second)
		if s.seconds < 0 {
			d = api.Duration(100 * 365 * 24 * time.Hour)
		}
		r.Timeout = &d
	}
	return r
}

func stopCommand(a *App) *command.Command {
	var s stopFlags
	cmd := &command.Command{
		Use:      "stop [flags] INSTANCE...",
		Short:    "Stop instances: the stop signal, then SIGKILL",
		Example:  "  virga stop web\n  virga stop -t 60 db",
		Args:     arguments(1, -1),
		Complete: a.completeInstances(running, -1),
		Values:   map[string]completion{"signal": oneOf(signalWords...)},
	}
	s.register(cmd.Flags())
	cmd.Run = func(cmd *command.Command, args []string) error {
		return each(args, func(id string) error {
			if err := a.api().Stop(cmd.Context(), id, s.request(cmd.Flags())); err != nil {
				return err
			}
			fmt.Fprintln(a.Out, id)
			return nil
		})
	}
	return cmd
}
