package cli

import (
	"slices"
	"strings"

	"github.com/virga-cloud/virga/internal/command"
	"github.com/virga-cloud/virga/internal/endpoint"
)

// group is commands that the help lists together.
type group struct {
	id, title string
	commands  []entry
}

// entry is one command, which is made only when it is called or listed: all of
// them and their flags would take longer than most commands do.
type entry struct {
	name string
	make func(*App) *command.Command
}

// instanceEntries are the commands of instances.
var instanceEntries = []entry{
	{"run", runCommand},
	{"create", createCommand},
	{"start", startCommand},
	{"stop", stopCommand},
	{"restart", restartCommand},
	{"kill", killCommand},
	{"pause", pauseCommand},
	{"unpause", unpauseCommand},
	{"rm", rmCommand},
	{"ps", psCommand},
	{"inspect", inspectCommand},
	{"logs", logsCommand},
	{"exec", execCommand},
	{"attach", attachCommand},
	{"cp", cpCommand},
	{"diff", diffCommand},
	{"stats", statsCommand},
	{"credits", creditsCommand},
	{"top", topCommand},
	{"wait", waitCommand},
	{"rename", renameCommand},
	{"update", updateCommand},
	{"resize", resizeCommand},
	{"port", portCommand},
}

// groups are all commands. A new command is one file and one line here.
var groups = []group{
	{"instances", "Instances:", instanceEntries},
	{"groups", "Many instances:", []entry{
		{"group", groupCommand},
		{"up", composeUpCommand},
		{"down", composeDownCommand},
		{"watch", composeWatchCommand},
		{"compose", composeCommand},
		{"job", jobCommand},
	}},
	{"things", "What instances use:", []entry{
		{"image", imageCommand},
		{"pull", pullCommand},
		{"push", pushCommand},
		{"images", imagesCommand},
		{"rmi", rmiCommand},
		{"login", loginCommand},
		{"logout", logoutCommand},
		{"volume", volumeCommand},
		{"network", networkCommand},
		{"type", typeCommand},
		{"spot", spotCommand},
		{"service", serviceCommand},
	}},
	{"node", "The node:", []entry{
		{"server", serverCommand},
		{"node", nodeCommand},
		{"capacity", capacityCommand},
		{"token", tokenCommand},
		{"cost", costCommand},
		{"events", eventsCommand},
		{"system", systemCommand},
	}},
	{"more", "More:", []entry{
		{"version", versionCommand},
		{"completion", completionCommand},
		// Docker's names for some of the above, which the help leaves out.
		{"instance", instanceCommand},
		{"history", historyCommand},
		{"tag", tagCommand},
		{"save", saveCommand},
		{"load", loadCommand},
		{"import", importCommand},
		{"export", exportCommand},
		{"info", infoCommand},
	}},
}

// find returns the commands to make for args: the one that args begin with, or
// all when that is none, such as for help and completion.
func find(args []string) []group {
	args = afterRootFlags(args)
	if len(args) == 0 {
		return groups
	}
	for _, g := range groups {
		for _, e := range g.commands {
			if e.name == args[0] {
				return []group{{g.id, g.title, []entry{e}}}
			}
		}
	}
	return groups
}

// afterRootFlags leaves out the flags that may come before a command's name.
func afterRootFlags(args []string) []string {
	for len(args) > 0 {
		name, _, joined := strings.Cut(args[0], "=")
		name, long := strings.CutPrefix(name, "--")
		if !long || !slices.Contains(endpoint.Names, name) {
			return args
		}
		if args = args[1:]; !joined && len(args) > 0 {
			args = args[1:]
		}
	}
	return args
}
