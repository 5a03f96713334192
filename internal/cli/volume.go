package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func volumeCommand(a *App) *command.Command {
	cmd := &command.Command{
		Use:     "volume",
		Short:   "Make, copy, list and remove volumes",
		Example: "  virga volume create data\n  virga run -v data:/data debian:12 ls /data",
		Args:    noCommand,
		Run:     func(cmd *command.Command, _ []string) error { return cmd.Help() },
	}
	cmd.Add(volumeCreateCommand(a), volumeListCommand(a), volumeUpdateCommand(a), volumeRemoveCommand(a), volumePruneCommand(a),
		volumeSnapshotCommand(a), volumeRestoreCommand(a), volumeExportCommand(a), volumeImportCommand(a),
		inspectOf(a, "volume", "  virga volume inspect data", a.completeVolumes(),
			func(cmd *command.Command, n string) (api.Volume, error) { return a.api().Volume(cmd.Context(), n) }))
	return cmd
}

func volumeCreateCommand(a *App) *command.Command {
	var labels []string
	var size, access string
	cmd := &command.Command{
		Use:   "create [flags] [NAME]",
		Short: "Make a volume",
		Long: "Make a volume. --size is enforced: at the limit, writes fail with \"No space left on device\".\n\n" +
			"--access says who may mount it: shared, any number of instances; exclusive, one that writes or any number that read;\n" +
			"read-only, any number, and none may write.",
		Example: "  virga volume create data\n  virga volume create --size 10g --label app=db db\n  virga volume create --size 10g --access exclusive db",
		Args:    arguments(0, 1),
		Run: func(cmd *command.Command, args []string) error {
			var r api.VolumeRequest
			if len(args) == 1 {
				r.Name = args[0]
			}
			var err error
			if r.Labels, err = readLabels(labels, nil); err != nil {
				return err
			}
			if r.Size, err = parseSize("size", size); err != nil {
				return err
			}
			r.Access = api.Access(access)
			v, err := a.api().CreateVolume(cmd.Context(), r)
			if err != nil {
				return err
			}
			fmt.Fprintln(a.Out, v.Name)
			return nil
		},
	}
	listVar(cmd.Flags(), &labels, "label", "l", "set a label (`KEY=VALUE`)")
	cmd.Flags().StringVar(&size, "size", "", "most `bytes` it may hold")
	cmd.Flags().StringVar(&access, "access", "", "who may mount it: shared, exclusive, read-only (default shared)")
	return cmd
}

func volumeRemoveCommand(a *App) *command.Command {
	return removal{
		use: "rm [flags] VOLUME...", short: "Remove volumes with their data", example: "  virga volume rm data",
		complete: a.completeVolumes(),
		do:       func(ctx context.Context, name string, _ bool) error { return a.api().RemoveVolume(ctx, name) },
	}.command(a)
}

func volumeListCommand(a *App) *command.Command {
	var l listFlags
	cmd := &command.Command{
		Use:     "ls [flags]",
		Short:   "List volumes",
		Example: "  virga volume ls\n  virga volume ls --format '{{.Name}} {{.Path}}'",
		Args:    arguments(0, 0),
		Run: func(cmd *command.Command, _ []string) error {
			list, err := a.api().Volumes(cmd.Context())
			if err != nil {
				return err
			}
			rows := make([]volumeRow, len(list))
			for i, v := range list {
				rows[i] = volumeRow{v, l.noTrunc}
			}
			return listing[volumeRow]{
				columns: volumeColumns, rows: rows, objects: list,
				quiet:  func(r volumeRow) string { return r.Volume.Name },
				object: func(r volumeRow) any { return r.Volume },
			}.show(a, l)
		},
	}
	l.register(cmd.Flags())
	return cmd
}

// volumeRow is a volume as it is listed.
type volumeRow struct {
	api.Volume
	whole bool
}

var volumeColumns = []column[volumeRow]{
	{"Name", "NAME", func(r volumeRow) string { return r.Volume.Name }},
	{"Anonymous", "ANONYMOUS", func(r volumeRow) string { return strconv.FormatBool(r.Volume.Anonymous) }},
	{"Access", "ACCESS", volumeRow.Access},
	{"Used", "USED", volumeRow.Used},
	{"Size", "SIZE", volumeRow.Size},
	{"SnapshotOf", "SNAPSHOT OF", volumeRow.SnapshotOf},
	{"UsedBy", "USED BY", volumeRow.UsedBy},
}

// Size is the limit.
func (r volumeRow) Size() string {
	if r.Volume.Size == 0 {
		return "-"
	}
	return api.FormatBytes(r.Volume.Size)
}

// Access is who may mount it.
func (r volumeRow) Access() string { return first(string(r.Volume.Access), string(api.AccessShared)) }

// Used is what one with a size holds, when that is known.
func (r volumeRow) Used() string {
	if r.Usage == nil || r.Usage.Used == 0 {
		return "-"
	}
	return api.FormatBytes(r.Usage.Used)
}

// SnapshotOf is the volume it is a snapshot of.
func (r volumeRow) SnapshotOf() string {
	if r.Snapshot == nil {
		return "-"
	}
	return r.Snapshot.Name
}

// UsedBy are the instances that use it.
func (r volumeRow) UsedBy() string {
	s := strings.Join(r.Volume.UsedBy, ",")
	if r.whole {
		return s
	}
	return cut(s, 60)
}

// Labels are its labels, as KEY=VALUE separated by commas.
func (r volumeRow) Labels() string { return joinLabels(r.Meta.Labels) }
