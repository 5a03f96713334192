package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

// Exit statuses of run and exec beside the workload's own, as Docker's.
const (
	exitVirga         = 125 // virga failed, not the workload
	exitNotExecutable = 126
	exitNoCommand     = 127
	exitInterrupted   = 130
)

// exitError ends the command with a status of its own. err is nil when there
// is nothing to say, such as when the workload's exit code is passed on.
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// exit is the error that ends the command with status; nil for 0.
func exit(status int) error {
	if status == 0 {
		return nil
	}
	return &exitError{status: status}
}

// usage is the error of a command called in a wrong way.
func usage(cmd *command.Command, err error) error {
	if _, ok := errors.AsType[*api.Error](err); ok {
		return err
	}
	if bad, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		err = badValue(bad)
	}
	e := api.Errorf(api.CodeInvalid, "%s", err)
	if hint, ok := flagHint(cmd.Name(), err.Error()); ok {
		return e.WithHint("%s", hint)
	}
	return e.WithHint("see `%s --help`", cmd.Path())
}

// report prints err and returns the exit status that stands for it.
func (a *App) report(cmd *command.Command, err error) int {
	if err == nil {
		return 0
	}
	e, own := errors.AsType[*exitError](err)
	if !own || e.err != nil {
		a.printError(cmd, err)
	}
	switch {
	case own:
		return e.status
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case cmd != nil && (cmd.Name() == "run" || cmd.Name() == "exec"):
		return runStatus(err)
	}
	return api.CodeOf(err).ExitStatus()
}

// runStatus is the exit status of a run or exec that failed before or at the
// start of its workload.
func runStatus(err error) int {
	e, ok := errors.AsType[*api.Error](err)
	switch {
	case !ok || e.Field != "spec.command":
		return exitVirga
	case e.Code == api.CodeNotFound:
		return exitNoCommand
	}
	return exitNotExecutable
}

// printError writes the message, with the flag of cmd that it is about, and on a
// second line what to do about it.
func (a *App) printError(cmd *command.Command, err error) {
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range j.Unwrap() {
			a.printError(cmd, e)
		}
		return
	}
	bold, red, plain := "", "", ""
	if a.colour(a.Err) {
		bold, red, plain = "\x1b[1m", "\x1b[1;31m", "\x1b[0m"
	}
	message := strings.TrimSpace(err.Error())
	e, ok := errors.AsType[*api.Error](err)
	if ok {
		if flag := flagOf(cmd, e); flag != "" {
			message = flag + ": " + message
		}
	}
	fmt.Fprintf(a.Err, "%svirga:%s %s\n", red, plain, clean(message))
	if ok && e.Hint != "" {
		fmt.Fprintf(a.Err, "%shint:%s %s\n", bold, plain, clean(e.Hint))
	}
}

// warn tells of something that does not stop the command.
func (a *App) warn(format string, args ...any) {
	fmt.Fprintf(a.Err, "warning: %s\n", clean(fmt.Sprintf(format, args...)))
}

// noCommand refuses the words that no command has.
func noCommand(cmd *command.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	e := api.Errorf(api.CodeInvalid, "%s has no command %q", cmd.Path(), args[0])
	if hint := dockerHint(cmd, args[0]); hint != "" {
		return e.WithHint("%s", hint)
	}
	if near := cmd.Suggestions(args[0]); len(near) > 0 {
		return e.WithHint("did you mean `%s %s`?", cmd.Path(), near[0])
	}
	return e.WithHint("see `%s --help`", cmd.Path())
}

// arguments checks the number of arguments; most < 0 is any.
func arguments(least, most int) func(*command.Command, []string) error {
	return func(cmd *command.Command, args []string) error {
		if len(args) >= least && (most < 0 || len(args) <= most) {
			return nil
		}
		want := fmt.Sprintf("%d", least)
		switch {
		case most < 0:
			want = fmt.Sprintf("at least %d", least)
		case most > least:
			want = fmt.Sprintf("%d to %d", least, most)
		}
		return api.Errorf(api.CodeInvalid, "%s takes %s %s, not %d", cmd.Path(), want, plural("argument", max(most, least)), len(args)).
			WithHint("usage: %s", cmd.UseLine())
	}
}

func plural(noun string, n int) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}

// each calls f for every argument and joins what went wrong, so that one bad
// name does not spare the others.
func each(args []string, f func(string) error) error {
	var errs []error
	for _, arg := range args {
		if err := f(arg); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}
