package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

type ps struct {
	listFlags
	all     bool
	last    int
	latest  bool
	size    bool
	filters []string
}

func psCommand(a *App) *command.Command {
	var p ps
	cmd := &command.Command{
		Use:     "ps [flags]",
		Aliases: []string{"ls"},
		Short:   "List instances",
		Long: "List the running instances, or all with -a.\n\n" +
			"Filters: name=[^]PART[$], id=PREFIX, label=KEY[=VALUE], label!=KEY[=VALUE], status=PHASE, image=NAME|ID,\n" +
			"health=STATE, exited=CODE, network=NAME, volume=NAME, publish=PORT[-PORT][/PROTOCOL], before=INSTANCE, since=INSTANCE, isolation=KIND, group=NAME.\n" +
			"Of several with the same key one has to match, of labels all.",
		Example: "  virga ps -a\n  virga ps --filter label=app=web --format '{{.Name}}: {{.Status}}'\n  virga ps --format 'table {{.ID}}\\t{{.Image}}\\t{{.Ports}}'",
		Args:    arguments(0, 0),
		Run:     func(cmd *command.Command, _ []string) error { return p.run(cmd.Context(), a, time.Now()) },
	}
	f := cmd.Flags()
	p.register(f)
	f.BoolVarP(&p.all, "all", "a", false, "show those that do not run too")
	f.IntVarP(&p.last, "last", "n", 0, "show the `number` made last, in any state")
	f.BoolVarP(&p.latest, "latest", "l", false, "show the one made last, in any state")
	f.BoolVarP(&p.size, "size", "s", false, "show the bytes of the files it has written, and with its image's")
	listVar(f, &p.filters, "filter", "f", "show only those that match `KEY=VALUE`")
	return cmd
}

func (p *ps) run(ctx context.Context, a *App, now time.Time) error {
	match, err := instanceFilter(p.filters)
	if err != nil {
		return err
	}
	if _, err := parseTemplate(p.format); err != nil {
		return err
	}
	if p.latest {
		p.last = 1
	}
	if err := match.place(func(name string) (api.Instance, error) { return a.api().Instance(ctx, name) }); err != nil {
		return err
	}
	list, err := a.api().Instances(ctx, api.InstanceFilter{Labels: match.labels})
	if err != nil {
		return err
	}
	slices.SortStableFunc(list, func(x, y api.Instance) int { return y.Created.Compare(x.Created) })
	list = slices.DeleteFunc(list, func(i api.Instance) bool {
		hidden := !p.all && p.last == 0 && !match.phased && i.Status.Phase.Ended()
		return hidden || !match.ok(i)
	})
	if p.last > 0 && len(list) > p.last {
		list = list[:p.last]
	}
	rows := make([]instanceRow, len(list))
	for i, in := range list {
		rows[i] = instanceRow{Instance: in, now: now, whole: p.noTrunc}
	}
	columns := instanceColumns
	if p.size || strings.Contains(p.format, ".Size") {
		columns = append(slices.Clip(columns), sizeColumn)
		if err := a.measure(ctx, rows); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(list, func(i api.Instance) bool { return i.Group != "" }) {
		columns = append(slices.Clip(columns), groupColumn)
	}
	return listing[instanceRow]{
		columns: columns, rows: rows, objects: list,
		quiet:  instanceRow.ID,
		object: func(r instanceRow) any { return r.Instance },
	}.show(a, p.listFlags)
}

// filter chooses instances on this side; labels are chosen by the daemon.
type filter struct {
	labels []string
	phased bool // a filter names a phase, so ended ones are wanted
	tests  map[string][]func(api.Instance) bool
	// without are tests that all have to be met.
	without []func(api.Instance) bool
	// Instances that others have to be made before or since.
	before, since []string
}

// place adds the tests of before and since, whose instances find looks up: they
// need not be among those that are listed.
func (f *filter) place(find func(name string) (api.Instance, error)) error {
	for _, side := range []struct {
		key   string
		names []string
		test  func(i, other api.Instance) bool
	}{
		{"before", f.before, func(i, other api.Instance) bool { return i.Created.Before(other.Created) }},
		{"since", f.since, func(i, other api.Instance) bool { return i.Created.After(other.Created) }},
	} {
		for _, name := range side.names {
			other, err := find(name)
			if err != nil {
				return fmt.Errorf("filter %s=%s: %w", side.key, name, err)
			}
			f.tests[side.key] = append(f.tests[side.key], func(i api.Instance) bool { return side.test(i, other) })
		}
	}
	return nil
}

// ok reports whether i meets one test of every key.
func (f filter) ok(i api.Instance) bool {
	for _, tests := range f.tests {
		if !slices.ContainsFunc(tests, func(t func(api.Instance) bool) bool { return t(i) }) {
			return false
		}
	}
	return !slices.ContainsFunc(f.without, func(t func(api.Instance) bool) bool { return !t(i) })
}

func instanceFilter(texts []string) (filter, error) {
	f := filter{tests: map[string][]func(api.Instance) bool{}}
	for _, text := range texts {
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			return f, api.Invalid("filter", "filter %q: want KEY=VALUE", text)
		}
		switch key {
		case "label":
			f.labels = append(f.labels, value)
			continue
		case "label!": // label!=KEY[=VALUE]
			f.without = append(f.without, unlabelled(value))
			continue
		case "before":
			f.before = append(f.before, value)
			continue
		case "since":
			f.since = append(f.since, value)
			continue
		}
		test, err := instanceTest(key, value)
		if err != nil {
			return f, err
		}
		f.phased = f.phased || key == "status" || key == "exited"
		f.tests[key] = append(f.tests[key], test)
	}
	return f, nil
}
