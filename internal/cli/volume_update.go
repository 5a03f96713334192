package cli

import (
	"fmt"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func volumeUpdateCommand(a *App) *command.Command {
	var size, access string
	var labels []string
	cmd := &command.Command{
		Use:   "update [flags] VOLUME...",
		Short: "Change volumes, also while they are used",
		Long: "Change volumes. A size can grow while instances use the volume; smaller than what it holds is refused. Access counts\n" +
			"from the next mount on.",
		Example:  "  virga volume update --size 20g db\n  virga volume update --access read-only assets",
		Args:     arguments(1, -1),
		Complete: a.completeVolumes(),
	}
	f := cmd.Flags()
	f.StringVar(&size, "size", "", "most `bytes` it may hold")
	f.StringVar(&access, "access", "", "who may mount it: shared, exclusive, read-only")
	listVar(f, &labels, "label", "l", "set a label (`KEY=VALUE`); replaces all it has")
	cmd.Run = func(cmd *command.Command, args []string) error {
		if f.NFlag() == 0 {
			return api.Invalid("flags", "nothing is to be changed").WithHint("name something, such as --size 20g")
		}
		u := api.VolumeUpdate{Access: api.Access(access)}
		var err error
		if u.Size, err = api.ParseSize("size", size); err != nil {
			return err
		}
		if f.Changed("label") {
			if u.Labels, err = readLabels(labels, nil); err != nil {
				return err
			}
		}
		return each(args, func(name string) error {
			v, err := a.api().UpdateVolume(cmd.Context(), name, u)
			if err != nil {
				return err
			}
			fmt.Fprintln(a.Out, v.Name)
			return nil
		})
	}
	return cmd
}
