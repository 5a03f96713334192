package cli

import (
	"fmt"
	"strconv"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

// groupRow is a group as it is listed.
type groupRow struct {
	api.Group
	now time.Time
}

var groupColumns = []column[groupRow]{
	{"Name", "NAME", func(g groupRow) string { return g.Meta.Name }},
	{"Image", "IMAGE", groupRow.Image},
	{"Ready", "READY", groupRow.Ready},
	{"Bounds", "MIN-MAX", groupRow.Bounds},
	{"Current", "REVISION", groupRow.Current},
	{"Phase", "STATUS", groupRow.State},
	{"RunningFor", "CREATED", groupRow.RunningFor},
}

// Image is that of the current template.
func (g groupRow) Image() string { return cut(g.Spec.Template.Image, 40) }

// Ready is how many serve, of how many there should be.
func (g groupRow) Ready() string {
	text := fmt.Sprintf("%d/%d", g.Group.Status.Ready, g.Spec.Desired)
	if w := g.Spec.Warm; w != nil {
		text += fmt.Sprintf(" +%d/%d warm", g.Group.Status.Warm, w.Size)
	}
	return text
}

// Bounds are what a scale may ask for.
func (g groupRow) Bounds() string {
	most := "∞"
	if g.Spec.Max > 0 {
		most = strconv.Itoa(g.Spec.Max)
	}
	return fmt.Sprintf("%d-%s", g.Spec.Min, most)
}

// Current is the number of the current revision.
func (g groupRow) Current() string {
	if n := len(g.Revisions); n > 0 {
		return strconv.Itoa(g.Revisions[n-1].Number)
	}
	return ""
}

// State is the phase, and why it does not get on.
func (g groupRow) State() string {
	s := g.Group.Status
	if (s.Phase == api.GroupFailing || s.Phase == api.GroupFailed) && s.Reason != "" {
		return string(s.Phase) + ": " + cut(s.Reason, 60)
	}
	return string(s.Phase)
}

// RunningFor is how long ago it was made.
func (g groupRow) RunningFor() string { return ago(g.now, g.Created) }

func groupListCommand(a *App) *command.Command {
	var l listFlags
	cmd := &command.Command{
		Use:     "ls [flags]",
		Aliases: []string{"list"},
		Short:   "List groups",
		Example: "  virga group ls\n  virga group ls --format '{{.Name}} {{.Ready}}'",
		Args:    arguments(0, 0),
		Run: func(cmd *command.Command, _ []string) error {
			return a.listGroups(cmd.Context(), l, groupColumns, func(g api.Group) bool { return g.Spec.Job == nil })
		},
	}
	l.register(cmd.Flags())
	return cmd
}

func groupHistoryCommand(a *App) *command.Command {
	var l listFlags
	cmd := &command.Command{
		Use:      "history [flags] GROUP",
		Short:    "Show what was decided for a group, and why",
		Example:  "  virga group history web",
		Args:     arguments(1, 1),
		Complete: a.completeGroups(),
		Run: func(cmd *command.Command, args []string) error {
			g, err := a.api().Group(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return listing[api.GroupHistory]{
				columns: []column[api.GroupHistory]{
					{"Time", "TIME", func(h api.GroupHistory) string { return h.Time.Local().Format(time.DateTime) }},
					{"Message", "WHAT AND WHY", func(h api.GroupHistory) string { return h.Message }},
					{"Inputs", "FROM", inputs},
				},
				rows: g.Status.History, objects: g.Status.History,
				quiet:  func(h api.GroupHistory) string { return h.Message },
				object: func(h api.GroupHistory) any { return h },
			}.show(a, l)
		},
	}
	l.register(cmd.Flags())
	return cmd
}
