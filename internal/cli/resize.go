package cli

import (
	"fmt"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func resizeCommand(a *App) *command.Command {
	var kind, credits, disk string
	cmd := &command.Command{
		Use:   "resize [flags] INSTANCE...",
		Short: "Give instances another type or a larger disk while they run",
		Long: "Give instances another type. A running instance changes at once; one that does not run has the new type from its\n" +
			"next start. Less memory than the instance uses is refused.\n\n" +
			"--disk makes the writable layer of an instance that was made with a size larger; see virga node (live-growth) for whether that\n" +
			"works while it runs.",
		Example:  "  virga resize --type burst.medium web\n  virga resize --type burst.small --credits unlimited web db\n  virga resize --disk 20g db",
		Args:     arguments(1, -1),
		Complete: a.completeInstances(anyPhase, -1),
		Values:   map[string]completion{"type": a.completeTypes(), "credits": a.specValues()["credits"]},
		Run: func(cmd *command.Command, args []string) error {
			if kind == "" && disk == "" {
				if credits != "" {
					return api.Invalid("type", "--type is missing").WithHint("virga update --credits %s changes them alone", credits)
				}
				return api.Invalid("type", "--type is missing").WithHint("virga type ls lists the types there are; --disk changes the size of the writable layer")
			}
			size, err := api.ParseSize("disk", disk)
			if err != nil {
				return err
			}
			return each(args, func(id string) error {
				r := api.ResizeRequest{Type: kind, CreditMode: api.CreditMode(credits), Disk: size}
				if err := a.api().Resize(cmd.Context(), id, r); err != nil {
					return err
				}
				fmt.Fprintln(a.Out, id)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&kind, "type", "", "instance `type`")
	cmd.Flags().StringVar(&credits, "credits", "", "what a burst type does without credits: standard, unlimited (default the type's)")
	cmd.Flags().StringVar(&disk, "disk", "", "most `bytes` the writable layer may hold")
	return cmd
}
