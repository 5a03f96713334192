package cli

import (
	"context"
	"fmt"
	"slices"
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
	var labels, options []string
	var size, access, driver string
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
			if driver != "local" {
				return api.Invalid("driver", "--driver %s: there is no driver but local", driver).WithHint("mount what it would bring on the node, and use it with -v PATH:TARGET")
			}
			var err error
			for _, o := range options {
				n, ok := strings.CutPrefix(o, "size=")
				if !ok {
					return api.Invalid("opt", "--opt %s is not known", o).WithHint("use size=BYTES; what else mount(8) does is done on the node, and used with -v PATH:TARGET")
				}
				size = n
			}
			if r.Labels, err = readLabels(labels, nil); err != nil {
				return err
			}
			if r.Size, err = api.ParseSize("size", size); err != nil {
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
	cmd.Flags().StringVarP(&driver, "driver", "d", "local", "there is only local")
	listVar(cmd.Flags(), &options, "opt", "o", "size=`BYTES` is the same as --size")
	_ = cmd.Flags().MarkHidden("driver")
	_ = cmd.Flags().MarkHidden("opt")
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

// volumeFilters are those of volume ls.
func volumeFilters() filterKeys[api.Volume] {
	k := objectFilters(func(v api.Volume) api.Meta { return v.Meta })
	k["dangling"] = switchFilter("dangling", func(v api.Volume) bool { return len(v.UsedBy) == 0 })
	k["anonymous"] = switchFilter("anonymous", func(v api.Volume) bool { return v.Anonymous })
	k["driver"] = textFilter(func(_ api.Volume, want string) bool { return want == "local" })
	return k
}

func volumeListCommand(a *App) *command.Command {
	var l listFlags
	var filters []string
	cmd := &command.Command{
		Use:     "ls [flags]",
		Short:   "List volumes",
		Long:    "List volumes.\n\nFilters: name=[^]PART[$], id=PREFIX, label=KEY[=VALUE], dangling=true|false (no instance uses it), anonymous=true|false.",
		Example: "  virga volume ls\n  virga volume ls --filter dangling=true\n  virga volume ls --format '{{.Name}} {{.Path}}'",
		Args:    arguments(0, 0),
		Run: func(cmd *command.Command, _ []string) error {
			match, err := volumeFilters().parse(filters)
			if err != nil {
				return err
			}
			list, err := a.api().Volumes(cmd.Context())
			if err != nil {
				return err
			}
			list = slices.DeleteFunc(list, func(v api.Volume) bool { return !match(v) })
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
	listVar(cmd.Flags(), &filters, "filter", "f", "show only those that match `KEY=VALUE`")
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
