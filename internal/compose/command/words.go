package command

import (
	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

// onInstances is what to do instead of a command that virga has for instances
// of any kind.
const onInstances = "`virga compose ps` names the instances, and `virga %s` takes them"

// elsewhere says what to do instead of the commands that docker compose has and
// virga has not.
var elsewhere = map[string]string{
	"build":   "build images with docker, buildah or kaniko, and bring them through a registry or with `virga load`",
	"create":  "`virga up -d` makes and starts them",
	"images":  "`virga compose config --images` lists them",
	"ls":      "`virga ps --format 'table {{.Names}}\\t{{.Labels}}'` shows whose instances there are",
	"publish": "a Compose file is a file: keep it in version control",
	"pull":    "`virga up -d --pull always` fetches the images again",
	"push":    "`virga push IMAGE` for what `virga compose config --images` lists",
	"rm":      "`virga down` removes what a Compose file describes",
	"run":     "`virga run` with the service's image; `virga compose config` shows what it is made of",
	"scale":   "`virga up -d --scale SERVICE=NUMBER`, or `virga group scale`",
	"start":   "`virga up -d` starts what is stopped",
	"version": "`virga version` has the versions of all",
}

// noWord refuses a word that is no command.
func noWord(cmd *command.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	e := api.Errorf(api.CodeInvalid, "%s has no command %q", cmd.Path(), args[0])
	switch args[0] {
	case "attach", "cp", "events", "exec", "export", "kill", "pause", "port", "restart", "stats", "top", "unpause", "wait":
		return e.WithHint(onInstances, args[0])
	}
	if hint := elsewhere[args[0]]; hint != "" {
		return e.WithHint("%s", hint)
	}
	if near := cmd.Suggestions(args[0]); len(near) > 0 {
		return e.WithHint("did you mean `%s %s`?", cmd.Path(), near[0])
	}
	return e.WithHint("see `%s --help`", cmd.Path())
}
