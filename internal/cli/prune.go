package cli

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

// prune removes what nothing uses, after asking.
type prune struct {
	use, short, example string
	question            func(all bool) string
	do                  func(ctx context.Context, all bool) (api.PruneReport, error)
}

func (p prune) command(a *App) *command.Command {
	var all, force, asJSON bool
	cmd := &command.Command{
		Use:     p.use,
		Short:   p.short,
		Example: p.example,
		Args:    arguments(0, 0),
		Run: func(cmd *command.Command, _ []string) error {
			if !force {
				ok, err := a.confirm(p.question(all))
				if err != nil || !ok {
					return err
				}
			}
			r, err := p.do(cmd.Context(), all)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(a.Out, r)
			}
			for _, name := range r.Removed {
				fmt.Fprintln(a.Out, name)
			}
			fmt.Fprintf(a.Out, "freed %s\n", api.FormatBytes(r.Bytes))
			return nil
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&all, "all", "a", false, "remove everything unused, named things too")
	f.BoolVarP(&force, "force", "f", false, "do not ask")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// confirm asks a question; only y and yes are yes.
func (a *App) confirm(question string) (bool, error) {
	if _, tty := terminal(a.In); !tty {
		return false, api.Invalid("force", "nobody is there to ask").WithHint("use --force to go on without asking")
	}
	fmt.Fprintf(a.Err, "%s [y/N] ", question)
	line, err := bufio.NewReader(a.In).ReadString('\n')
	if err != nil && line == "" {
		return false, nil
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes", nil
}

func imagePruneCommand(a *App) *command.Command {
	return prune{
		use: "prune [flags]", short: "Remove images that no instance uses", example: "  virga image prune\n  virga image prune -af",
		question: func(all bool) string {
			if all {
				return "Remove all images that no instance uses?"
			}
			return "Remove all images without a name?"
		},
		do: func(ctx context.Context, all bool) (api.PruneReport, error) { return a.api().PruneImages(ctx, all) },
	}.command(a)
}

func volumePruneCommand(a *App) *command.Command {
	return prune{
		use: "prune [flags]", short: "Remove volumes that no instance uses", example: "  virga volume prune\n  virga volume prune -af",
		question: func(all bool) string {
			if all {
				return "Remove all volumes that no instance uses, with their data?"
			}
			return "Remove all anonymous volumes that no instance uses, with their data?"
		},
		do: func(ctx context.Context, all bool) (api.PruneReport, error) { return a.api().PruneVolumes(ctx, all) },
	}.command(a)
}
