package cli

import (
	"context"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func systemPruneCommand(a *App) *command.Command {
	return prune{
		use: "prune [flags]", short: "Remove stopped instances and what nothing uses",
		example: "  virga system prune\n  virga system prune -af",
		question: func(all bool) string {
			if all {
				return "Remove all stopped instances, and all images and volumes that no instance uses?"
			}
			return "Remove all stopped instances, images without a name and unused anonymous volumes?"
		},
		do: a.pruneAll,
	}.command(a)
}

// instancePruneCommand removes instances only.
func instancePruneCommand(a *App) *command.Command {
	return prune{
		use: "prune [flags]", short: "Remove stopped instances", example: "  virga instance prune -f",
		question: func(bool) string { return "Remove all stopped instances?" },
		do:       func(ctx context.Context, _ bool) (api.PruneReport, error) { return a.pruneInstances(ctx) },
	}.command(a)
}

func (a *App) pruneAll(ctx context.Context, all bool) (api.PruneReport, error) {
	report, err := a.pruneInstances(ctx)
	if err != nil {
		return report, err
	}
	for _, prune := range []func(context.Context, bool) (api.PruneReport, error){a.api().PruneVolumes, a.api().PruneImages} {
		r, err := prune(ctx, all)
		report.Removed = append(report.Removed, r.Removed...)
		report.Bytes += r.Bytes
		if err != nil {
			return report, err
		}
	}
	return report, nil
}

// pruneInstances removes the instances that have run and will not again.
func (a *App) pruneInstances(ctx context.Context) (api.PruneReport, error) {
	var report api.PruneReport
	list, err := a.api().Instances(ctx, api.InstanceFilter{})
	if err != nil {
		return report, err
	}
	for _, i := range list {
		// A created or pending instance was not run yet: it is wanted.
		if p := i.Status.Phase; p != api.PhaseStopped && p != api.PhaseFailed || i.Desired.State != api.DesiredStopped && p != api.PhaseFailed && i.Spec.Restart.Policy != "" && i.Spec.Restart.Policy != api.RestartNo {
			continue
		}
		if err := a.api().Remove(ctx, i.ID, false, true); err != nil && api.CodeOf(err) != api.CodeNotFound {
			return report, err
		}
		report.Removed = append(report.Removed, i.Name)
	}
	return report, nil
}
