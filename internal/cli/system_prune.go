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
				return "Remove all stopped instances, all images that no instance uses and unused anonymous volumes?"
			}
			return "Remove all stopped instances, images without a name and unused anonymous volumes?"
		},
		do:      a.pruneAll,
		volumes: true,
	}.command(a)
}

// instancePruneCommand removes instances only.
func instancePruneCommand(a *App) *command.Command {
	return prune{
		use: "prune [flags]", short: "Remove stopped instances", example: "  virga instance prune -f",
		question: func(bool) string { return "Remove all stopped instances?" },
		do:       a.pruneInstances,
	}.command(a)
}

// pruneAll leaves named volumes alone: what they hold cannot be had again.
func (a *App) pruneAll(ctx context.Context, req api.PruneRequest) (api.PruneReport, error) {
	report, err := a.pruneInstances(ctx, req)
	if err != nil {
		return report, err
	}
	anonymous := req
	anonymous.All = false
	r, err := a.api().PruneVolumes(ctx, anonymous)
	if err == nil {
		report.Removed, report.Bytes = append(report.Removed, r.Removed...), report.Bytes+r.Bytes
		r, err = a.api().PruneImages(ctx, req)
	}
	report.Removed, report.Bytes = append(report.Removed, r.Removed...), report.Bytes+r.Bytes
	return report, err
}

// pruneInstances removes the instances that have run and will not again.
func (a *App) pruneInstances(ctx context.Context, req api.PruneRequest) (api.PruneReport, error) {
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
		if !req.Takes(i.Created, i.Labels) {
			continue
		}
		if err := a.api().Remove(ctx, i.ID, false, true); err != nil && api.CodeOf(err) != api.CodeNotFound {
			return report, err
		}
		report.Removed = append(report.Removed, i.Name)
	}
	return report, nil
}
