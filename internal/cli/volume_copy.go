package cli

import (
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func volumeSnapshotCommand(a *App) *command.Command {
	var quiet bool
	var labels []string
	cmd := &command.Command{
		Use:   "snapshot [flags] VOLUME [NAME]",
		Short: "Copy a volume as it is now into a new, read-only one",
		Long: "Copy a volume as it is now into a new, read-only one. Nothing is copied where the file system shares data between\n" +
			"files (reflink). Of a volume with a size that is in use, writes wait meanwhile, so that the snapshot is what a power\n" +
			"cut would leave; of one without, each file is as it was at some moment. The last line says which.",
		Example:  "  virga volume snapshot db\n  virga volume snapshot db db-before-upgrade",
		Args:     arguments(1, 2),
		Complete: a.completeVolumes(),
		Run: func(cmd *command.Command, args []string) error {
			var r api.SnapshotRequest
			if len(args) == 2 {
				r.Name = args[1]
			}
			var err error
			if r.Labels, err = readLabels(labels, nil); err != nil {
				return err
			}
			v, err := a.volumeOf(a.api().SnapshotVolume(cmd.Context(), args[0], r), quiet)
			if err != nil {
				return err
			}
			if !quiet && v.Snapshot != nil {
				fmt.Fprintln(a.Err, worth(*v.Snapshot))
			}
			fmt.Fprintln(a.Out, v.Name)
			return nil
		},
	}
	listVar(cmd.Flags(), &labels, "label", "l", "set a label (`KEY=VALUE`)")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "show only the name")
	return cmd
}

// worth says how a snapshot was made and what it guarantees.
func worth(s api.Snapshot) string {
	how := "copied"
	if s.Method == api.CopyReflink {
		how = "shared by reflink, nothing copied"
	}
	switch s.Consistency {
	case api.ConsistencyFrozen:
		how += fmt.Sprintf("; in use: writes waited %s, it is the volume at one moment", time.Duration(s.Frozen).Round(time.Millisecond))
	case api.ConsistencyFiles:
		how += "; in use: each file is as it was at some moment, not all at the same one"
	case api.ConsistencyIdle:
		how += "; nobody wrote to the volume"
	}
	if s.Skipped > 0 {
		how += fmt.Sprintf("; %d sockets or devices left out", s.Skipped)
	}
	return how
}

func volumeRestoreCommand(a *App) *command.Command {
	var quiet bool
	var size string
	cmd := &command.Command{
		Use:   "restore [flags] SNAPSHOT [VOLUME]",
		Short: "Make the content of a new or an unused volume that of a snapshot",
		Long: "Make the content of a new or an unused volume that of a snapshot, by default of the volume the snapshot was taken of.\n" +
			"It is replaced in one step: whatever happens, the volume holds the old or the new. SNAPSHOT may be any volume.",
		Example:  "  virga volume restore db-before-upgrade\n  virga volume restore --size 20g db-before-upgrade db2",
		Args:     arguments(1, 2),
		Complete: a.completeVolumes(),
		Run: func(cmd *command.Command, args []string) error {
			var r api.RestoreRequest
			if len(args) == 2 {
				r.Volume = args[1]
			}
			var err error
			if r.Size, err = api.ParseSize("size", size); err != nil {
				return err
			}
			v, err := a.volumeOf(a.api().RestoreVolume(cmd.Context(), args[0], r), quiet)
			if err == nil {
				fmt.Fprintln(a.Out, v.Name)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&size, "size", "", "most `bytes` a new volume may hold (default the snapshot's size)")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "do not show progress")
	return cmd
}

func volumeImportCommand(a *App) *command.Command {
	var quiet, replace bool
	var size string
	cmd := &command.Command{
		Use:     "import [flags] FILE|- VOLUME",
		Short:   "Make the content of a new or an unused volume that of a tar",
		Long:    "Make the content of a new volume, or with --replace of an unused one, that of a tar, plain or with gzip or zstd.\nAn archive that is damaged, leads out of the volume or does not fit changes nothing.",
		Example: "  virga volume import data.tar.zst data\n  tar -C /srv/data -c . | virga volume import --size 10g - data",
		Args:    arguments(2, 2),
		Run: func(cmd *command.Command, args []string) error {
			n, err := api.ParseSize("size", size)
			if err != nil {
				return err
			}
			in, err := a.openArchive(args[0])
			if err != nil {
				return err
			}
			defer in.Close()
			v, err := a.volumeOf(a.api().ImportVolume(cmd.Context(), args[1], n, replace, in), quiet)
			if err == nil {
				fmt.Fprintln(a.Out, v.Name)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&size, "size", "", "most `bytes` a new volume may hold")
	cmd.Flags().BoolVar(&replace, "replace", false, "replace what a volume of that name holds")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "do not show progress")
	return cmd
}

// volumeOf follows a transfer that ends with a volume.
func (a *App) volumeOf(steps iter.Seq2[api.Progress, error], quiet bool) (api.Volume, error) {
	last, err := a.follow(steps, quiet)
	if err != nil {
		return api.Volume{}, err
	}
	if last.Volume == nil {
		return api.Volume{}, api.Errorf(api.CodeUnavailable, "the daemon did not say that it was done").WithHint("try again; see the daemon's log")
	}
	return *last.Volume, nil
}

func volumeExportCommand(a *App) *command.Command {
	var output archiveOutput
	var compression string
	cmd := &command.Command{
		Use:   "export [flags] VOLUME",
		Short: "Write the files of a volume as a tar",
		Long: "Write the files of a volume as a tar, with owners, times, hard links and extended attributes. Of a volume in use each\n" +
			"file is as it was at some moment; export a snapshot where that is not enough.",
		Example:  "  virga volume export -o data.tar data\n  virga volume export --compress zstd db > db.tar.zst",
		Args:     arguments(1, 1),
		Complete: a.completeVolumes(),
		Run: func(cmd *command.Command, args []string) error {
			if compression != "none" && compression != "zstd" {
				return api.Invalid("compress", "--compress %q: want none or zstd", compression)
			}
			return output.write(a, func() (io.ReadCloser, error) {
				return a.api().ExportVolume(cmd.Context(), args[0], compression)
			})
		},
	}
	output.register(cmd.Flags())
	cmd.Flags().StringVar(&compression, "compress", "none", "none or zstd")
	return cmd
}
