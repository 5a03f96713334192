package cli

import "github.com/spf13/cobra"

// group is commands that the help lists together.
type group struct {
	id, title string
	commands  []func(*App) *cobra.Command
}

// groups are all commands. A new command is one file and one word here.
var groups = []group{
	{"instances", "Instances:", []func(*App) *cobra.Command{
		runCommand, createCommand, startCommand, stopCommand, restartCommand, killCommand, pauseCommand, unpauseCommand,
		rmCommand, psCommand, inspectCommand, logsCommand, execCommand, attachCommand, cpCommand, statsCommand, topCommand,
		waitCommand, renameCommand, updateCommand, portCommand,
	}},
	{"things", "What instances use:", []func(*App) *cobra.Command{
		imageCommand, pullCommand, pushCommand, imagesCommand, rmiCommand, volumeCommand, networkCommand,
	}},
	{"node", "The node:", []func(*App) *cobra.Command{
		serverCommand, nodeCommand, eventsCommand, systemCommand,
	}},
	{"more", "More:", []func(*App) *cobra.Command{versionCommand, completionCommand}},
}
