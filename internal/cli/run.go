package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

// run is the command that people use most, so it costs the fewest round trips:
// one session creates, starts, and brings output and exit code.
type run struct {
	specFlags
	detach     bool
	remove     bool
	sigProxy   bool
	detachKeys string
	attach     []string
}

func runCommand(a *App) *command.Command {
	var r run
	cmd := &command.Command{
		Use:   "run [flags] IMAGE [COMMAND [ARG...]]",
		Short: "Make and start an instance",
		Long: "Make an instance of an image, start it, and show its output until it ends.\n\n" +
			"The exit status is the workload's. 125 says that virga failed, 126 that the command\ncannot be executed, 127 that it does not exist.",
		Example: "  virga run --rm virga/hello\n" +
			"  virga run -it --rm debian:12 bash\n" +
			"  virga run -d --name web -p 8080:80 --memory 512m --restart unless-stopped nginx\n" +
			"  tar c . | virga run -i --rm debian:12 tar t",
		Args:     arguments(1, -1),
		Complete: a.completeImages,
		Values:   a.specValues(),
	}
	f := cmd.Flags()
	r.register(f)
	f.BoolVarP(&r.detach, "detach", "d", false, "leave it running and print its id")
	listVar(f, &r.attach, "attach", "a", "show or connect only this `stream`: stdin, stdout, stderr (default both outputs, and input with -i)")
	removeVar(f, &r.remove)
	f.BoolVar(&r.sigProxy, "sig-proxy", true, "pass signals on to the workload")
	f.StringVar(&r.detachKeys, "detach-keys", defaultDetachKeys, "`keys` that leave the instance running")
	cmd.Run = func(cmd *command.Command, args []string) error { return r.run(cmd, a, args) }
	return cmd
}

func (r *run) run(cmd *command.Command, a *App, args []string) error {
	req, err := r.request(a, cmd.Flags(), args)
	if err != nil {
		return err
	}
	req.Spec.AutoRemove = r.remove
	streams, err := parseAttach(r.attach)
	if err != nil {
		return err
	}
	if r.detach && len(r.attach) > 0 {
		return api.Invalid("attach", "--attach and --detach exclude each other")
	}
	if r.detach {
		return r.start(cmd.Context(), a, req)
	}
	keys, err := parseDetachKeys(r.detachKeys)
	if err != nil {
		return err
	}
	if req.Spec.TTY && req.Spec.Stdin {
		if _, ok := terminal(a.In); !ok {
			return api.Invalid("tty", "standard input is not a terminal").WithHint("leave out -t when input is piped")
		}
	}
	// A terminal can be detached from and attached to again: its input stays open.
	req.Spec.StdinOnce = req.Spec.Stdin && !req.Spec.TTY
	// Until there is an instance signals end the command; from then on they are
	// the workload's.
	ctx, cancel := context.WithCancel(context.WithoutCancel(cmd.Context()))
	defer cancel()
	before := cmd.Context()
	if r.sigProxy {
		before = unlistened(before)
	}
	release := context.AfterFunc(before, cancel)
	var session *api.ClientSession
	var id string
	err = r.make(cmd.Context(), a, &req.Spec, func() (string, error) {
		session, id, err = a.api().Run(ctx, req)
		return id, err
	})
	if err != nil {
		if session != nil { // the file for the id could not be written
			_ = session.Close()
		}
		return r.undo(context.WithoutCancel(ctx), a, id, err)
	}
	if r.sigProxy {
		release()
	}
	defer a.tellWait(ctx, id)()
	d := dialogue{tty: req.Spec.TTY, stdin: req.Spec.Stdin, keys: keys, proxy: r.sigProxy, streams: streams}
	if streams.inputOnly() { // nobody waits for its end
		fmt.Fprintln(a.Out, id)
	}
	status, err := d.hold(ctx, a, session)
	if _, failed := errors.AsType[*exitError](err); failed {
		return r.undo(context.WithoutCancel(ctx), a, id, err)
	}
	if err != nil {
		return err
	}
	return exit(status)
}

// start creates and starts in one call and does not wait for the end.
func (r *run) start(ctx context.Context, a *App, req api.CreateRequest) error {
	i, err := r.create(ctx, a, req, true)
	if err != nil {
		return err
	}
	if i.Desired.Waits != nil {
		told := a.tellWait(ctx, i.ID)
		err := a.api().Start(ctx, i.ID)
		told()
		if err != nil {
			return err
		}
	}
	fmt.Fprintln(a.Out, i.ID)
	if i.Status.Phase == api.PhaseFailed {
		status := exitVirga
		if i.Status.ExitCode != nil && *i.Status.ExitCode != 0 {
			status = *i.Status.ExitCode
		}
		return &exitError{status, fmt.Errorf("%s could not be started: %s", i.Name, i.Status.Reason)}
	}
	return nil
}

// undo removes an instance that was made for this command alone and could not
// be started.
func (r *run) undo(ctx context.Context, a *App, id string, err error) error {
	if r.remove && id != "" {
		if e := a.api().Remove(ctx, id, true, true); e != nil && api.CodeOf(e) != api.CodeNotFound {
			a.warn("instance %s was not removed: %s", api.ShortID(id), e)
		}
	}
	return err
}
