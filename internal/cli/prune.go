package cli

import (
	"bufio"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

// prune removes what nothing uses, after asking.
type prune struct {
	use, short, example string
	question            func(all bool) string
	do                  func(context.Context, api.PruneRequest) (api.PruneReport, error)
	volumes             bool // has Docker's --volumes
}

func (p prune) command(a *App) *command.Command {
	var all, force, asJSON bool
	var filters []string
	cmd := &command.Command{
		Use:     p.use,
		Short:   p.short,
		Example: p.example,
		Args:    arguments(0, 0),
		Run: func(cmd *command.Command, _ []string) error {
			req, err := parsePrune(filters, all, time.Now())
			if err != nil {
				return err
			}
			if !force {
				ok, err := a.confirm(p.question(req.All) + also(filters))
				if err != nil || !ok {
					return err
				}
			}
			r, err := p.do(cmd.Context(), req)
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
	listVar(f, &filters, "filter", "", "remove only those that match: until=TIME or DURATION, label=KEY[=VALUE], label!=KEY[=VALUE]")
	if p.volumes {
		f.Bool("volumes", false, "no effect: anonymous volumes are among what is removed")
		_ = f.MarkHidden("volumes")
	}
	return cmd
}

// also says in the question that not all is meant.
func also(filters []string) string {
	if len(filters) == 0 {
		return ""
	}
	return " Of them those with " + strings.Join(filters, ", ") + "."
}

// parsePrune reads the filters of a prune. Docker's that widen it are --all.
func parsePrune(texts []string, all bool, now time.Time) (api.PruneRequest, error) {
	r := api.PruneRequest{All: all}
	for _, text := range texts {
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			return r, api.Invalid("filter", "filter %q: want KEY=VALUE", text)
		}
		switch key {
		case "until":
			t, err := parseTime("filter until", value, now)
			if err != nil || t.IsZero() {
				return r, api.Invalid("filter", "filter until=%q: want a time such as 2026-01-31T12:00:00Z or a duration such as 24h", value)
			}
			r.Until = t.UTC()
		case "label":
			r.Labels = append(r.Labels, value)
		case "label!":
			r.NotLabels = append(r.NotLabels, value)
		case "all", "dangling":
			yes, err := strconv.ParseBool(value)
			if err != nil {
				return r, api.Invalid("filter", "filter %s=%q: want true or false", key, value)
			}
			r.All = r.All || yes == (key == "all")
		default:
			return r, api.Invalid("filter", "filter %q is not known", key).WithHint("use until, label, label!")
		}
	}
	return r, nil
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
		do: func(ctx context.Context, r api.PruneRequest) (api.PruneReport, error) {
			return a.api().PruneImages(ctx, r)
		},
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
		do: func(ctx context.Context, r api.PruneRequest) (api.PruneReport, error) {
			return a.api().PruneVolumes(ctx, r)
		},
	}.command(a)
}
