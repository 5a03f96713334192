package cli

import (
	"os"
	"path/filepath"

	"github.com/virga-cloud/virga/internal/command"
)

func composeCommand(a *App) *command.Command {
	return a.composed("compose", "Run what a Compose file describes: up, down, stop, ps, logs, config, watch",
		"  virga compose up -d\n  virga compose ps\n  virga compose logs -f web", nil)
}

func composeUpCommand(a *App) *command.Command {
	return a.composed("up", "Make and start what a Compose file describes",
		"  virga up -d --wait\n  virga up -f prod.yaml", []string{"up"})
}

func composeDownCommand(a *App) *command.Command {
	return a.composed("down", "Stop and remove all that a Compose file describes",
		"  virga down -v", []string{"down"})
}

func composeWatchCommand(a *App) *command.Command {
	return a.composed("watch", "Bring changes of files to the instances of a Compose file",
		"  virga watch\n  virga watch --no-up web", []string{"watch"})
}

// composed is a command of the daemon's program, which reads Compose files:
// the libraries for that would cost every start of this one.
func (a *App) composed(use, short, example string, first []string) *command.Command {
	return &command.Command{
		Use:     use + " [flags]",
		Short:   short,
		Example: example,
		Raw:     true, // the flags are that program's
		Run: func(cmd *command.Command, args []string) error {
			return a.compose(cmd, append(first, args...))
		},
	}
}

// compose puts the program that reads Compose files in this process's place.
func (a *App) compose(cmd *command.Command, args []string) error {
	file, err := a.carried()
	if err != nil {
		return err
	}
	return become(cmd.Context(), file, append([]string{"virgad", "compose"}, args...))
}

// carried returns a path at which the daemon's program can be executed by
// whoever runs the command, who need not be root.
func (a *App) carried() (string, error) {
	dir := DefaultDataDir
	if cache, err := os.UserCacheDir(); err == nil {
		dir = filepath.Join(cache, "virga")
	}
	return a.daemonFile(dir)
}
