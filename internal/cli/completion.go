package cli

import (
	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func completionCommand(a *App) *command.Command {
	return &command.Command{
		Use:     "completion bash|zsh|fish",
		Short:   "Print a script that completes commands and names in a shell",
		Example: "  source <(virga completion bash)\n  virga completion zsh > \"${fpath[1]}/_virga\"\n  virga completion fish > ~/.config/fish/completions/virga.fish",
		Args:    arguments(1, 1),
		Words:   []string{"bash", "zsh", "fish"},
		Run: func(cmd *command.Command, args []string) error {
			if ok, err := command.Script(a.Out, args[0], "virga"); ok || err != nil {
				return err
			}
			return api.Invalid("shell", "there is no completion for %q", args[0]).WithHint("use bash, zsh or fish")
		},
	}
}
