package cli

import (
	"context"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
	"golang.org/x/term"
)

type exec struct {
	spec       api.ExecSpec
	env        []string
	envFiles   []string
	detachKeys string
}

func execCommand(a *App) *command.Command {
	var e exec
	cmd := &command.Command{
		Use:      "exec [flags] INSTANCE COMMAND [ARG...]",
		Short:    "Run a further process in a running instance",
		Example:  "  virga exec -it web bash\n  virga exec -u www-data -e LANG=C web env\n  virga exec -d web touch /tmp/flag",
		Args:     arguments(2, -1),
		Complete: a.completeInstances(running, 1),
		Run:      func(cmd *command.Command, args []string) error { return e.run(cmd.Context(), a, args) },
	}
	f := cmd.Flags()
	f.SetInterspersed(false) // what follows the instance belongs to the process
	f.BoolVarP(&e.spec.Stdin, "interactive", "i", false, "connect standard input")
	f.BoolVarP(&e.spec.TTY, "tty", "t", false, "give the process a terminal")
	f.BoolVarP(&e.spec.Detach, "detach", "d", false, "do not wait for it")
	listVar(f, &e.env, "env", "e", "set a variable (`KEY=VALUE`, or KEY to pass on your own)")
	listVar(f, &e.envFiles, "env-file", "", "read variables from a `file`, one a line")
	f.StringVarP(&e.spec.User, "user", "u", "", "`user[:group]` by name or number")
	f.StringVarP(&e.spec.WorkingDir, "workdir", "w", "", "working `directory`")
	f.BoolVar(&e.spec.Privileged, "privileged", false, "give it all capabilities")
	f.StringVar(&e.detachKeys, "detach-keys", defaultDetachKeys, "`keys` that end the session")
	return cmd
}

func (e *exec) run(ctx context.Context, a *App, args []string) error {
	spec := e.spec
	spec.Command = args[1:]
	var err error
	if spec.Env, err = readEnv(a.Env, e.envFiles, e.env); err != nil {
		return err
	}
	keys, err := parseDetachKeys(e.detachKeys)
	if err != nil {
		return err
	}
	if spec.Detach {
		return a.api().ExecDetached(ctx, args[0], spec)
	}
	if spec.TTY {
		if _, ok := terminal(a.In); spec.Stdin && !ok {
			return api.Invalid("tty", "standard input is not a terminal").WithHint("leave out -t when input is piped")
		}
		if fd, ok := terminal(a.Out); ok {
			if w, h, err := term.GetSize(fd); err == nil {
				spec.Width, spec.Height = uint16(w), uint16(h)
			}
		}
	}
	ctx = context.WithoutCancel(ctx) // signals are the process's
	session, err := a.api().Exec(ctx, args[0], spec)
	if err != nil {
		return err
	}
	d := dialogue{tty: spec.TTY, stdin: spec.Stdin, keys: keys, proxy: true}
	status, err := d.hold(ctx, a, session)
	if err != nil {
		return err
	}
	return exit(status)
}
