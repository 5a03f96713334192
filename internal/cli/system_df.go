package cli

import (
	"context"
	"strconv"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

// usageRow is what one kind of object takes on the node.
type usageRow struct {
	Kind   string `json:"kind"`
	Total  int    `json:"total"`
	Active int    `json:"active"`
	// Bytes is the size of the images' layers, each counted once, and what of
	// it would be freed by a prune; -1 where it is not known.
	Bytes       int64 `json:"bytes"`
	Reclaimable int64 `json:"reclaimable"`
}

var usageColumns = []column[usageRow]{
	{"Kind", "KIND", func(r usageRow) string { return r.Kind }},
	{"Total", "TOTAL", func(r usageRow) string { return strconv.Itoa(r.Total) }},
	{"Active", "ACTIVE", func(r usageRow) string { return strconv.Itoa(r.Active) }},
	{"Bytes", "SIZE", func(r usageRow) string { return knownBytes(r.Bytes) }},
	{"Reclaimable", "RECLAIMABLE", func(r usageRow) string { return knownBytes(r.Reclaimable) }},
}

func knownBytes(n int64) string {
	if n < 0 {
		return "-"
	}
	return api.FormatBytes(n)
}

func systemDFCommand(a *App) *command.Command {
	var l listFlags
	cmd := &command.Command{
		Use:     "df [flags]",
		Short:   "Show how much images, instances and volumes there are",
		Example: "  virga system df",
		Args:    arguments(0, 0),
		Run: func(cmd *command.Command, _ []string) error {
			rows, err := a.usage(cmd.Context())
			if err != nil {
				return err
			}
			return listing[usageRow]{
				columns: usageColumns, rows: rows, objects: rows,
				quiet:  func(r usageRow) string { return r.Kind },
				object: func(r usageRow) any { return r },
			}.show(a, l)
		},
	}
	l.register(cmd.Flags())
	return cmd
}

func (a *App) usage(ctx context.Context) ([]usageRow, error) {
	images, err := a.api().Images(ctx)
	if err != nil {
		return nil, err
	}
	instances, err := a.api().Instances(ctx, api.InstanceFilter{})
	if err != nil {
		return nil, err
	}
	volumes, err := a.api().Volumes(ctx)
	if err != nil {
		return nil, err
	}
	i := usageRow{Kind: "images", Total: len(images)}
	used := map[string]bool{} // layers of images in use
	all := map[string]int64{}
	for _, img := range images {
		if img.InUse > 0 {
			i.Active++
		}
		for _, l := range img.Layers {
			all[l.DiffID] = l.Size
			used[l.DiffID] = used[l.DiffID] || img.InUse > 0
		}
	}
	for id, size := range all {
		i.Bytes += size
		if !used[id] {
			i.Reclaimable += size
		}
	}
	n := usageRow{Kind: "instances", Total: len(instances), Bytes: -1, Reclaimable: -1}
	for _, in := range instances {
		if !in.Status.Phase.Ended() {
			n.Active++
		}
	}
	v := usageRow{Kind: "volumes", Total: len(volumes), Bytes: -1, Reclaimable: -1}
	for _, vol := range volumes {
		if len(vol.UsedBy) > 0 {
			v.Active++
		}
	}
	return []usageRow{i, n, v}, nil
}
