package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/virga-cloud/virga/api"
)

// sizeColumn is shown when it was asked for: measuring reads the directories of
// every instance.
var sizeColumn = column[instanceRow]{"Size", "SIZE", instanceRow.Size}

// Size is what the instance has written, and with its image.
func (r instanceRow) Size() string { return r.size }

// measure finds out the sizes of the rows' instances.
func (a *App) measure(ctx context.Context, rows []instanceRow) error {
	images, err := a.api().Images(ctx)
	if err != nil {
		return err
	}
	of := map[string]int64{}
	for _, i := range images {
		of[i.ID] = i.Size
	}
	for i := range rows {
		r := &rows[i]
		changes, err := a.api().Changes(ctx, r.Instance.ID)
		switch code := api.CodeOf(err); {
		case code == api.CodeNotFound || code == api.CodeNotSupported:
			r.size = "-" // it has gone meanwhile, or has no such files
			continue
		case err != nil:
			return err
		}
		var written int64
		for _, c := range changes {
			written += c.Size
		}
		r.size = fmt.Sprintf("%s (virtual %s)", api.FormatBytes(written), api.FormatBytes(written+of[r.Instance.Status.Image]))
	}
	return nil
}

// Label is the value of one label, "" without it.
func (r instanceRow) Label(key string) string { return r.Meta.Labels[key] }

// Mounts are the volumes and the node's paths that are mounted.
func (r instanceRow) Mounts() string {
	var names []string
	for _, m := range r.Spec.Mounts {
		if m.Source != "" {
			names = append(names, m.Source)
		}
	}
	return strings.Join(names, ",")
}

// LocalVolumes is the number of volumes.
func (r instanceRow) LocalVolumes() int { return len(r.Instance.Status.Volumes) }
