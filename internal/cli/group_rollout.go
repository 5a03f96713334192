package cli

import (
	"context"
	"fmt"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func groupRolloutCommand(a *App) *command.Command {
	cmd := &command.Command{
		Use:     "rollout",
		Short:   "Follow, hold and take back the roll of a group",
		Example: "  virga group rollout status web\n  virga group rollout undo web",
		Args:    noCommand,
		Run:     func(cmd *command.Command, _ []string) error { return cmd.Help() },
	}
	cmd.Add(rolloutStatusCommand(a),
		rolloutVerb(a, "pause", "Make groups heal only, neither roll nor scale", (*api.Client).PauseGroup),
		rolloutVerb(a, "resume", "Let paused groups roll and scale again", (*api.Client).ResumeGroup),
		rolloutUndoCommand(a))
	return cmd
}

func rolloutStatusCommand(a *App) *command.Command {
	var now bool
	cmd := &command.Command{
		Use:      "status [flags] GROUP",
		Short:    "Wait until a group is steady, and say so",
		Example:  "  virga group rollout status web\n  virga group rollout status --now web",
		Args:     arguments(1, 1),
		Complete: a.completeGroups(),
		Run: func(cmd *command.Command, args []string) error {
			if !now {
				return a.waitSteady(cmd.Context(), args[0], false)
			}
			g, err := a.api().Group(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			fmt.Fprintln(a.Out, groupSummary(g))
			return nil
		},
	}
	cmd.Flags().BoolVar(&now, "now", false, "do not wait")
	return cmd
}

// groupChanged prints the name of a group that was made or changed, with wait
// once it is steady.
func (a *App) groupChanged(ctx context.Context, name string, wait bool) error {
	if wait {
		if err := a.waitSteady(ctx, name, true); err != nil {
			return err
		}
	}
	fmt.Fprintln(a.Out, name)
	return nil
}

// waitSteady waits until a group is steady. One that does not get on is an
// error. quiet prints nothing when all is well.
func (a *App) waitSteady(ctx context.Context, name string, quiet bool) error {
	g, err := a.api().WaitGroup(ctx, name, "steady")
	if err != nil {
		return err
	}
	switch {
	case g.Status.Phase == api.GroupPaused:
		return api.Errorf(api.CodeConflict, "%s", groupSummary(g)).WithHint("virga group rollout resume %s", g.Name)
	case g.Status.Phase == api.GroupFailing:
		return api.Errorf(api.CodeUnavailable, "%s", groupSummary(g)).
			WithHint("virga group history %s says more; virga group rollout undo %s goes back", g.Name, g.Name)
	case g.Status.RolledBack != 0:
		return api.Errorf(api.CodeConflict, "%s", groupSummary(g)).WithHint("virga group history %s says why", g.Name)
	}
	if !quiet {
		fmt.Fprintln(a.Out, groupSummary(g))
	}
	return nil
}

// groupSummary is a group's state in one line.
func groupSummary(g api.Group) string {
	s := g.Status
	text := fmt.Sprintf("group %s is %s: %d of %d ready, %d of revision %s", g.Name, s.Phase, s.Ready, g.Spec.Desired, s.Current, groupRow{Group: g}.Current())
	if s.RolledBack != 0 {
		text += fmt.Sprintf("; revision %d was given up", s.RolledBack)
	}
	if s.Reason != "" {
		text += ": " + s.Reason
	}
	return text
}

// rolloutVerb is a command that does one thing to each group named.
func rolloutVerb(a *App, verb, short string, do func(*api.Client, context.Context, string) error) *command.Command {
	return &command.Command{
		Use:      verb + " GROUP...",
		Short:    short,
		Example:  "  virga group rollout " + verb + " web",
		Args:     arguments(1, -1),
		Complete: a.completeGroups(),
		Run: func(cmd *command.Command, args []string) error {
			return each(args, func(name string) error {
				if err := do(a.api(), cmd.Context(), name); err != nil {
					return err
				}
				fmt.Fprintln(a.Out, name)
				return nil
			})
		},
	}
}

func rolloutUndoCommand(a *App) *command.Command {
	var to int
	var wait bool
	cmd := &command.Command{
		Use:      "undo [flags] GROUP",
		Short:    "Return to an earlier revision of a group",
		Example:  "  virga group rollout undo web\n  virga group rollout undo --to 3 web",
		Args:     arguments(1, 1),
		Complete: a.completeGroups(),
		Run: func(cmd *command.Command, args []string) error {
			g, err := a.api().UndoGroup(cmd.Context(), args[0], to)
			if err != nil {
				return err
			}
			return a.groupChanged(cmd.Context(), g.Name, wait)
		},
	}
	cmd.Flags().IntVar(&to, "to", 0, "`revision` to return to (default the one before the current)")
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until the roll has ended")
	return cmd
}
