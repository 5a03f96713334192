package daemon

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os/signal"
	"syscall"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/config"
	"github.com/virga-cloud/virga/internal/linux/monitor"
	"github.com/virga-cloud/virga/internal/version"
)

const usage = `Usage: virga server [flags]         run the daemon
       virga server reset [flags]   end every instance and take away all that virga made

Flags:
`

// Main is the daemon's command. It returns the exit status.
func Main(args []string, stdout, stderr io.Writer) int {
	reset := len(args) > 0 && args[0] == "reset"
	if reset {
		args = args[1:]
	}
	set := flag.NewFlagSet("virgad", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	file := set.String("config", "", "Configuration file (default "+config.DefaultFile+" when it exists)")
	command := set.String("command", "", "The `file` of the command virga, kept in memory in large pieces (default the one that starts the daemon)")
	showVersion := set.Bool("version", false, "Print the version and exit")
	flags := config.Flags(set)
	switch err := set.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		set.SetOutput(stdout)
		set.PrintDefaults()
		return 0
	case err != nil:
		return fail(stderr, api.Errorf(api.CodeInvalid, "%v", err).WithHint("virgad --help lists the flags"))
	case *showVersion:
		fmt.Fprintln(stdout, version.Version)
		return 0
	case set.NArg() > 0:
		return fail(stderr, api.Errorf(api.CodeInvalid, "unexpected argument %q", set.Arg(0)))
	}
	c, err := configure(*file, flags)
	if err != nil {
		return fail(stderr, err)
	}
	monitor.Calm()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	log := logger(c, stderr)
	if reset {
		err = Reset(ctx, c, log)
	} else {
		err = serve(ctx, c, *command, log)
	}
	if err != nil {
		return fail(stderr, err)
	}
	return 0
}

func configure(file string, flags func(*config.Config) error) (config.Config, error) {
	c := config.Default()
	if err := c.Load(file); err != nil {
		return c, err
	}
	if err := flags(&c); err != nil {
		return c, err
	}
	return c, c.Complete()
}

// serve runs a daemon until ctx ends. command is the command's file, or "".
func serve(ctx context.Context, c config.Config, command string, log *slog.Logger) error {
	d, err := New(ctx, c, log)
	if err != nil {
		if ctx.Err() != nil { // told to end before it began: whatever was under way broke off
			log.Info("ended during the start", "at", err)
			return nil
		}
		return err
	}
	d.command = command
	return errors.Join(d.Run(ctx), d.Close())
}

func logger(c config.Config, w io.Writer) *slog.Logger {
	o := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// fail tells the user what is wrong and what to do.
func fail(w io.Writer, err error) int {
	fmt.Fprintln(w, "virgad:", err)
	if e, ok := errors.AsType[*api.Error](err); ok && e.Hint != "" {
		fmt.Fprintln(w, "  hint:", e.Hint)
	}
	return max(1, api.CodeOf(err).ExitStatus())
}
