package cli

import (
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func imageHistoryCommand(a *App) *command.Command {
	var l listFlags
	cmd := &command.Command{
		Use:      "history [flags] IMAGE",
		Short:    "List the steps that made an image",
		Long:     "List the steps that made an image, the last one first, as the image tells them, and the layers they made.",
		Example:  "  virga image history nginx\n  virga history --no-trunc --format '{{.Size}}\\t{{.CreatedBy}}' nginx",
		Args:     arguments(1, 1),
		Complete: a.completeImages,
		Run: func(cmd *command.Command, args []string) error {
			list, err := a.api().ImageHistory(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			now := time.Now()
			rows := make([]stepRow, len(list))
			for i, s := range list {
				rows[i] = stepRow{s, now, l.noTrunc}
			}
			return listing[stepRow]{
				columns: stepColumns, rows: rows, objects: list,
				quiet:  stepRow.ID,
				object: func(r stepRow) any { return r.ImageStep },
			}.show(a, l)
		},
	}
	l.register(cmd.Flags())
	return cmd
}

// stepRow is a step of an image's history as it is listed.
type stepRow struct {
	api.ImageStep
	now   time.Time
	whole bool
}

var stepColumns = []column[stepRow]{
	{"ID", "LAYER", stepRow.ID},
	{"CreatedSince", "CREATED", stepRow.CreatedSince},
	{"CreatedBy", "CREATED BY", stepRow.CreatedBy},
	{"Size", "SIZE", stepRow.Size},
	{"Comment", "COMMENT", stepRow.Comment},
}

// ID is the layer that the step made, "<none>" when it made none.
func (r stepRow) ID() string {
	if r.whole {
		return first(r.DiffID, "<none>")
	}
	return first(api.ShortID(r.DiffID), "<none>")
}

// CreatedSince is how long ago the step was taken.
func (r stepRow) CreatedSince() string { return ago(r.now, r.ImageStep.Created) }

// CreatedAt is when the step was taken.
func (r stepRow) CreatedAt() string { return r.ImageStep.Created.Local().Format(time.RFC3339) }

// CreatedBy is the instruction.
func (r stepRow) CreatedBy() string {
	if r.whole {
		return clean(r.ImageStep.CreatedBy)
	}
	return clean(cut(r.ImageStep.CreatedBy, 45))
}

// Size is the size of the layer.
func (r stepRow) Size() string { return api.FormatBytes(r.ImageStep.Size) }

// Comment is what the maker has said.
func (r stepRow) Comment() string { return clean(r.ImageStep.Comment) }
