package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

type events struct {
	follow       bool
	since, until string
	filters      []string
	json         bool
	format       string
}

func eventsCommand(a *App) *command.Command {
	var e events
	cmd := &command.Command{
		Use:   "events [flags] [KEY=VALUE...]",
		Short: "Show what has happened",
		Long: "Show what has happened, oldest first, and with --follow go on showing what happens.\n\n" +
			"Filters: type=KIND, event=ACTION, instance=NAME|ID, image=NAME, volume=NAME, network=NAME, and attributes by their key. Of\n" +
			"several with the same key one has to match. Arguments are filters too.",
		Example: "  virga events --since 1h\n  virga events -f --filter event=die --filter instance=web",
		Args:    arguments(0, -1), // docker events -f event=die follows, and filters by what is behind -f
		Run: func(cmd *command.Command, args []string) error {
			e.filters = append(e.filters, args...)
			return e.run(cmd.Context(), a, time.Now())
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&e.follow, "follow", "f", false, "go on until interrupted")
	f.StringVar(&e.since, "since", "", "only events after a `time` (RFC 3339), a duration before now (10m) or a sequence number (#42)")
	f.StringVar(&e.until, "until", "", "only events before a `time` or duration")
	listVar(f, &e.filters, "filter", "", "show only those that match `KEY=VALUE`")
	f.BoolVar(&e.json, "json", false, "print an object a line")
	f.StringVar(&e.format, "format", "", "print each with a Go `template`")
	return cmd
}

func (e *events) run(ctx context.Context, a *App, now time.Time) error {
	var seq int64
	var since, until time.Time
	var err error
	if n, ok := strings.CutPrefix(e.since, "#"); ok {
		if seq, err = strconv.ParseInt(n, 10, 64); err != nil {
			return api.Invalid("since", "--since %q: want # and a sequence number", e.since)
		}
	} else if since, err = parseTime("since", e.since, now); err != nil {
		return err
	}
	if until, err = parseTime("until", e.until, now); err != nil {
		return err
	}
	match, err := eventFilter(e.filters)
	if err != nil {
		return err
	}
	var t *template.Template
	if e.format != "" && e.format != "json" {
		if t, err = parseTemplate(e.format); err != nil {
			return err
		}
	}
	for ev, err := range a.api().Events(ctx, seq, e.follow) {
		if err != nil {
			if e.follow && ctx.Err() != nil {
				return nil // interrupting is how following ends
			}
			return err
		}
		if ev.Time.Before(since) || !match(ev) {
			continue
		}
		if !until.IsZero() && ev.Time.After(until) {
			return nil
		}
		if err := e.print(a.Out, ev, t); err != nil {
			return err
		}
	}
	return nil
}

func (e *events) print(w io.Writer, ev api.Event, t *template.Template) error {
	switch {
	case e.json || e.format == "json":
		return json.NewEncoder(w).Encode(ev)
	case t != nil:
		if err := t.Execute(w, ev); err != nil {
			return templateError(err)
		}
		_, err := io.WriteString(w, "\n")
		return err
	}
	line := fmt.Sprintf("%s %s %s %s", ev.Time.Local().Format(time.RFC3339Nano), ev.Kind, ev.Action, first(ev.Name, api.ShortID(ev.ID)))
	if ev.Message != "" {
		line += ": " + ev.Message
	}
	if len(ev.Attrs) > 0 {
		line += " (" + joinLabels(ev.Attrs) + ")"
	}
	_, err := fmt.Fprintln(w, cell(line))
	return err
}

// parseTime reads an RFC 3339 time, seconds since 1970 or a duration before
// now; zero for "".
func parseTime(flag, s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return time.Unix(n, 0), nil
	}
	return time.Time{}, api.Invalid(flag, "--%s %q: want a time such as 2026-01-31T12:00:00Z or a duration such as 10m", flag, s)
}

// eventFilter makes one test of all filters: of one key any value, of
// different keys all.
func eventFilter(texts []string) (func(api.Event) bool, error) {
	want := map[string][]string{}
	for _, text := range texts {
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, api.Invalid("filter", "filter %q: want KEY=VALUE", text)
		}
		if key == "label" {
			return nil, api.Invalid("filter", "filter %q: events have no labels", text).WithHint("use instance=NAME, or `virga ps --filter %s`", text)
		}
		want[key] = append(want[key], value)
	}
	keys := slices.Sorted(maps.Keys(want))
	return func(e api.Event) bool {
		return !slices.ContainsFunc(keys, func(k string) bool {
			return !slices.ContainsFunc(want[k], func(v string) bool { return eventHas(e, k, v) })
		})
	}, nil
}

func eventHas(e api.Event, key, value string) bool {
	switch key {
	case "type", "kind":
		return e.Kind == value
	case "event", "action":
		return e.Action == value
	case "instance", "container", "image", "volume", "network":
		if key == "container" {
			key = "instance"
		}
		return e.Kind == key && (e.Name == value || value != "" && strings.HasPrefix(e.ID, value)) || e.Attrs[key] == value
	}
	return e.Attrs[key] == value
}
