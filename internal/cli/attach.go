package cli

import (
	"context"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

type attach struct {
	noStdin    bool
	sigProxy   bool
	detachKeys string
	logs       bool
	start      bool // start it once attached
}

func attachCommand(a *App) *command.Command {
	var c attach
	cmd := &command.Command{
		Use:      "attach [flags] INSTANCE",
		Short:    "Connect to a running instance's input and output",
		Long:     "Connect to the input and output of an instance's first process.\n\nThe detach keys (ctrl-p ctrl-q) leave it running.",
		Example:  "  virga attach web\n  virga attach --no-stdin --logs web",
		Args:     arguments(1, 1),
		Complete: a.completeInstances(running, 1),
		Run:      func(cmd *command.Command, args []string) error { return c.run(cmd.Context(), a, args[0]) },
	}
	f := cmd.Flags()
	f.BoolVar(&c.noStdin, "no-stdin", false, "do not connect standard input")
	f.BoolVar(&c.sigProxy, "sig-proxy", true, "pass signals on to the workload")
	f.StringVar(&c.detachKeys, "detach-keys", defaultDetachKeys, "`keys` that leave the instance running")
	f.BoolVar(&c.logs, "logs", false, "first show what it has already written")
	return cmd
}

func (c *attach) run(ctx context.Context, a *App, id string) error {
	keys, err := parseDetachKeys(c.detachKeys)
	if err != nil {
		return err
	}
	i, err := a.api().Instance(ctx, id)
	if err != nil {
		return err
	}
	if !c.start && i.Status.Phase.Ended() {
		return api.Errorf(api.CodeConflict, "instance %s is not running", i.Name).WithHint("start it with `virga start -a %s`", i.Name)
	}
	if c.sigProxy {
		ctx = context.WithoutCancel(ctx)
	}
	session, err := a.api().Attach(ctx, i.ID, api.AttachOptions{Start: c.start, Logs: c.logs})
	if err != nil {
		return err
	}
	d := dialogue{tty: i.Spec.TTY, stdin: i.Spec.Stdin && !c.noStdin, keys: keys, proxy: c.sigProxy}
	status, err := d.hold(ctx, a, session)
	if err != nil {
		return err
	}
	return exit(status)
}
