package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/pflag"
	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func jobCommand(a *App) *command.Command {
	cmd := &command.Command{
		Use:   "job",
		Short: "Run work to completion, once or on a schedule",
		Long: "Run work to completion: groups whose instances end on their own. Each instance finds the number of its piece\n" +
			"of the work, from 0, in VIRGA_JOB_PIECE.",
		Example: "  virga job run resize --image imagick --completions 20 --parallelism 4 -- ./resize\n" +
			"  virga job run backup --image pg --schedule '30 4 * * *' -- ./backup\n  virga job ls",
		Args: noCommand,
		Run:  func(cmd *command.Command, _ []string) error { return cmd.Help() },
	}
	remove := groupRemoveCommand(a, "rm [flags] JOB...", "Remove jobs with their instances", "  virga job rm backup")
	history := groupHistoryCommand(a)
	history.Use, history.Short, history.Example = "history [flags] JOB", "Show the runs of a job", "  virga job history backup"
	cmd.Add(jobRunCommand(a), jobListCommand(a), jobWaitCommand(a), remove, history,
		inspectOf(a, "job", "  virga job inspect backup", a.completeGroups(),
			func(cmd *command.Command, n string) (api.Group, error) { return a.api().Group(cmd.Context(), n) }))
	return cmd
}

type jobRun struct {
	instanceTemplate
	job   api.JobSpec
	limit time.Duration
	wait  bool
}

func jobRunCommand(a *App) *command.Command {
	var j jobRun
	cmd := &command.Command{
		Use:   "run [flags] --image IMAGE NAME [-- COMMAND [ARG...]]",
		Short: "Make a job and start it, or plan it",
		Example: "  virga job run migrate --image app --wait -- ./migrate\n" +
			"  virga job run nightly --image app --schedule @daily --deadline 1h --retries 2 -- ./report",
		Args: arguments(1, -1),
	}
	f := cmd.Flags()
	j.instanceTemplate.register(f)
	f.IntVar(&j.job.Completions, "completions", 1, "`number` of instances that must succeed")
	f.IntVar(&j.job.Parallelism, "parallelism", 0, "most instances at a time (default all)")
	f.IntVar(&j.job.Retries, "retries", 3, "`number` of instances that may fail before a run is given up")
	f.DurationVar(&j.limit, "deadline", 0, "longest `time` of a run (default none)")
	f.StringVar(&j.job.Schedule, "schedule", "", "start a run at these moments (`CRON`, UTC)")
	f.BoolVar(&j.wait, "wait", false, "wait for the end of the run; a run that fails is an error")
	cmd.Run = func(cmd *command.Command, args []string) error { return j.run(cmd.Context(), a, f, args) }
	return cmd
}

func (j *jobRun) run(ctx context.Context, a *App, f *pflag.FlagSet, args []string) error {
	if j.job.Retries == 0 {
		j.job.Retries = -1 // the API's word for none
	}
	j.job.Deadline = api.Duration(j.limit)
	err := j.create(ctx, a, "job", f, args, func(s *api.GroupSpec) { s.Job = &j.job })
	if err != nil {
		return err
	}
	fmt.Fprintln(a.Out, args[0])
	if j.wait {
		return a.waitJob(ctx, args[0])
	}
	return nil
}

// waitJob waits for the end of a job's newest run.
func (a *App) waitJob(ctx context.Context, name string) error {
	g, err := a.api().WaitGroup(ctx, name, "finished")
	if err != nil {
		return err
	}
	if g.Spec.Job == nil {
		return api.Errorf(api.CodeConflict, "group %s is not a job", name).WithHint("virga group rollout status %s", name)
	}
	if g.Status.Phase == api.GroupFailed {
		return &exitError{1, fmt.Errorf("run %d of job %s failed: %s", g.Status.Job.Run, name, g.Status.Reason)}
	}
	return nil
}

func jobWaitCommand(a *App) *command.Command {
	return &command.Command{
		Use:      "wait JOB...",
		Short:    "Wait for the end of jobs' newest runs; one that fails is an error",
		Example:  "  virga job wait migrate",
		Args:     arguments(1, -1),
		Complete: a.completeGroups(),
		Run: func(cmd *command.Command, args []string) error {
			return each(args, func(name string) error { return a.waitJob(cmd.Context(), name) })
		},
	}
}

var jobColumns = []column[groupRow]{
	{"Name", "NAME", func(g groupRow) string { return g.Meta.Name }},
	{"Image", "IMAGE", groupRow.Image},
	{"Done", "DONE", groupRow.Done},
	{"Failures", "FAILED", func(g groupRow) string { return fmt.Sprint(g.job().Failed) }},
	{"Run", "RUN", func(g groupRow) string { return fmt.Sprint(g.job().Run) }},
	{"Phase", "STATUS", groupRow.State},
	{"Next", "NEXT", groupRow.Next},
}

func (g groupRow) job() api.JobStatus {
	if g.Group.Status.Job == nil {
		return api.JobStatus{}
	}
	return *g.Group.Status.Job
}

// Done is how many pieces of the newest run are done, of how many there are.
func (g groupRow) Done() string {
	return fmt.Sprintf("%d/%d", g.job().Succeeded, max(g.Spec.Job.Completions, 1))
}

// Next is when the schedule starts the next run.
func (g groupRow) Next() string {
	if next := g.job().Next; !next.IsZero() {
		return next.UTC().Format(time.DateTime) + " UTC"
	}
	return ""
}

func jobListCommand(a *App) *command.Command {
	var l listFlags
	cmd := &command.Command{
		Use:     "ls [flags]",
		Aliases: []string{"list"},
		Short:   "List jobs",
		Example: "  virga job ls",
		Args:    arguments(0, 0),
		Run: func(cmd *command.Command, _ []string) error {
			return a.listGroups(cmd.Context(), l, jobColumns, func(g api.Group) bool { return g.Spec.Job != nil })
		},
	}
	l.register(cmd.Flags())
	return cmd
}

// listGroups prints the groups that are wanted.
func (a *App) listGroups(ctx context.Context, l listFlags, columns []column[groupRow], want func(api.Group) bool) error {
	list, err := a.api().Groups(ctx)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(g api.Group) bool { return !want(g) })
	rows := make([]groupRow, len(list))
	for i, g := range list {
		rows[i] = groupRow{g, time.Now()}
	}
	return listing[groupRow]{
		columns: columns, rows: rows, objects: list,
		quiet:  func(g groupRow) string { return g.Meta.Name },
		object: func(g groupRow) any { return g.Group },
	}.show(a, l)
}
