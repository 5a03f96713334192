package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"strconv"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

type logs struct {
	options api.LogOptions
	tail    string
	json    bool
}

func logsCommand(a *App) *command.Command {
	var l logs
	cmd := &command.Command{
		Use:      "logs [flags] INSTANCE",
		Short:    "Show what an instance has written",
		Long:     "Show what an instance has written. `virga compose logs` shows all of a Compose project.",
		Example:  "  virga logs -f --tail 20 web\n  virga logs --since 10m --timestamps web",
		Args:     arguments(1, 1),
		Complete: a.completeInstances(anyPhase, 1),
		Run:      func(cmd *command.Command, args []string) error { return l.run(cmd.Context(), a, args[0]) },
	}
	f := cmd.Flags()
	f.BoolVarP(&l.options.Follow, "follow", "f", false, "go on until the instance ends")
	f.StringVar(&l.options.Since, "since", "", "only lines after a `time` (RFC 3339, its date, seconds since 1970) or a duration before now (10m)")
	f.StringVar(&l.options.Until, "until", "", "only lines before a `time` or duration")
	f.StringVarP(&l.tail, "tail", "n", "all", "`number` of lines from the end, or all")
	f.BoolVarP(&l.options.Timestamps, "timestamps", "t", false, "show the time of each line")
	f.Bool("details", false, "no effect: lines have no attributes")
	_ = f.MarkHidden("details")
	f.BoolVar(&l.json, "json", false, "print an object a line")
	return cmd
}

func (l *logs) run(ctx context.Context, a *App, id string) error {
	o := l.options
	o.Tail = -1
	if l.tail != "all" {
		n, err := strconv.Atoi(l.tail)
		if err != nil || n < -1 {
			return api.Invalid("tail", "--tail %q: want a number of lines or all", l.tail)
		}
		o.Tail = n
	}
	out, errs := bufio.NewWriter(a.Out), bufio.NewWriter(a.Err)
	begun := map[string]bool{} // streams within a partial line
	var err error
	if o.Since, err = moment("since", o.Since); err != nil {
		return err
	}
	if o.Until, err = moment("until", o.Until); err != nil {
		return err
	}
	for line, err := range a.api().Logs(ctx, id, o) {
		if err != nil {
			_ = out.Flush() // err is what matters
			_ = errs.Flush()
			return err
		}
		w := out
		if line.Stream == "stderr" {
			w = errs
		}
		if err := l.print(w, line, begun[line.Stream]); err != nil {
			return err
		}
		begun[line.Stream] = line.Partial
		// A line that is followed must be seen at once; keep the order of
		// the streams when they share a terminal.
		if o.Follow || w == errs {
			if err := out.Flush(); err != nil {
				return err
			}
		}
		if err := errs.Flush(); err != nil {
			return err
		}
	}
	return out.Flush()
}

func (l *logs) print(w io.Writer, line api.LogLine, goesOn bool) error {
	if l.json {
		return json.NewEncoder(w).Encode(line)
	}
	text := line.Text
	if l.options.Timestamps && !goesOn {
		text = line.Time + " " + text
	}
	if !line.Partial {
		text += "\n"
	}
	_, err := io.WriteString(w, text)
	return err
}

// moment writes a time in the API's form. A duration stays one: it is before
// the daemon's now.
func moment(flag, s string) (string, error) {
	if _, err := time.ParseDuration(s); err == nil {
		return s, nil
	}
	t, err := parseTime(flag, s, time.Time{})
	if err != nil || t.IsZero() {
		return "", err
	}
	return t.Format(time.RFC3339Nano), nil
}
