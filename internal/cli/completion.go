package cli

import (
	"github.com/spf13/cobra"
	"github.com/virga-cloud/virga/api"
)

func completionCommand(a *App) *cobra.Command {
	return &cobra.Command{
		Use:       "completion bash|zsh|fish",
		Short:     "Print a script that completes commands and names in a shell",
		Example:   "  source <(virga completion bash)\n  virga completion zsh > \"${fpath[1]}/_virga\"\n  virga completion fish > ~/.config/fish/completions/virga.fish",
		Args:      arguments(1, 1),
		ValidArgs: []string{"bash", "zsh", "fish"},
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.Out, true)
			case "zsh":
				return root.GenZshCompletion(a.Out)
			case "fish":
				return root.GenFishCompletion(a.Out, true)
			}
			return api.Invalid("shell", "there is no completion for %q", args[0]).WithHint("use bash, zsh or fish")
		},
	}
}
