package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/sirupsen/logrus"
	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
	"github.com/virga-cloud/virga/internal/endpoint"
	"github.com/virga-cloud/virga/internal/remote"
)

// exitInterrupted is the exit status of a command that a signal ended.
const exitInterrupted = 130

// app is one invocation.
type app struct {
	out, err io.Writer
	endpoint endpoint.Flags // its project owns what is made
	source   source
	stop     func() // gives signals back their usual effect
}

// Main runs a command and returns its exit status.
func Main(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	a := &app{out: stdout, err: stderr, stop: stop}
	logrus.SetOutput(stderr)
	logrus.SetFormatter(warning{})
	root := a.root()
	_, err := root.Execute(ctx, leading(args))
	return a.report(err)
}

// warning writes what the library of Compose files has to say as virga says
// it.
type warning struct{}

func (warning) Format(e *logrus.Entry) ([]byte, error) {
	return fmt.Appendf(nil, "virga: %s: %s\n", e.Level, e.Message), nil
}

func (a *app) root() *command.Command {
	root := &command.Command{
		Use:   "virga compose",
		Short: "Run what a Compose file describes",
		Example: "  virga up -d\n  virga compose ps\n  virga compose logs -f web\n" +
			"  virga down -v",
		Args: noWord,
		Run:  func(cmd *command.Command, _ []string) error { return cmd.Help() },
		BadFlag: func(cmd *command.Command, err error) error {
			return api.Errorf(api.CodeInvalid, "%s", err).WithHint("see `%s --help`", cmd.Path())
		},
		Out: a.out,
	}
	a.endpoint.Register(root.PersistentFlags())
	for _, cmd := range []*command.Command{a.up(), a.down(), a.stopCommand(), a.ps(), a.logs(), a.config(), a.watch()} {
		a.source.register(cmd.Flags())
		root.Add(cmd)
	}
	return root
}

// leading spells out a -f that comes before the command's name: it is a file
// there, and behind the name of logs it is not.
func leading(args []string) []string {
	args = slices.Clone(args)
	for i := 0; i < len(args) && strings.HasPrefix(args[i], "-"); i++ {
		switch rest, f := strings.CutPrefix(args[i], "-f"); {
		case f && rest == "":
			args[i] = "--file"
			i++ // its value
		case f:
			args[i] = "--file=" + strings.TrimPrefix(rest, "=")
		case !strings.Contains(args[i], "="):
			i++ // every flag that comes first has a value, but for help
		}
	}
	return args
}

// api is a client of the daemon.
func (a *app) api() *api.Client {
	e, err := a.endpoint.Resolve(os.Getenv)
	if err != nil {
		return api.NewClient(func(context.Context) (net.Conn, error) { return nil, err })
	}
	return e.Client(func(ctx context.Context, e endpoint.Endpoint) (net.Conn, error) {
		return remote.Dial(ctx, e.Address, e.CAFile)
	})
}

// warn tells of what is not as the user may think.
func (a *app) warn(text string) { fmt.Fprintln(a.err, "virga: warning:", text) }

// report tells what went wrong and returns the exit status for it.
func (a *app) report(err error) int {
	if err == nil {
		return 0
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(a.err, "virga: interrupted")
		return exitInterrupted
	}
	a.printError(err)
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		err = j.Unwrap()[0]
	}
	return max(1, api.CodeOf(err).ExitStatus())
}

func (a *app) printError(err error) {
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range j.Unwrap() {
			a.printError(e)
		}
		return
	}
	fmt.Fprintln(a.err, "virga:", strings.TrimSpace(err.Error()))
	if e, ok := errors.AsType[*api.Error](err); ok && e.Hint != "" {
		fmt.Fprintln(a.err, "hint:", e.Hint)
	}
}
