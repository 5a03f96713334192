package cli

import (
	"maps"
	"strings"

	"github.com/virga-cloud/virga/internal/command"
)

const hintBuild = "build it with docker, buildah or kaniko, and bring it with `docker save app | virga load` or through a registry"

// dockerCommands says what to do instead of commands that Docker has and virga
// has not.
var dockerCommands = map[string]string{
	"build":       hintBuild,
	"buildx":      hintBuild,
	"builder":     hintBuild,
	"image build": hintBuild,
	"checkpoint":  "instances cannot be saved while they run; `virga pause` freezes one",
	"commit":      "`virga export INSTANCE | virga import - NAME` makes an image of an instance's files",
	"search":      "look for the image on its registry's own page",
	"context":     "--host or VIRGA_HOST names a daemon on another machine",
	"stack":       "`virga up -f FILE` runs a Compose file",
	"swarm":       "`virga group` keeps many equal instances",
	"manifest":    "`virga image inspect` shows an image, `virga pull --platform` chooses one of an index",
	"plugin":      "virga has no plugins",
	"trust":       "images are verified by their digests: name one with NAME@sha256:…",
	"secret":      "mount a file read-only: -v FILE:/run/secrets/NAME:ro",
	"config":      "mount a file read-only: -v FILE:/etc/NAME:ro",
}

// dockerFlags says the same of flags, by the last word of their command.
var dockerFlags = map[string]map[string]string{
	"run":    instanceFlags,
	"create": createFlags,
	"df": {
		"v":       "`virga images`, `virga ps -as` and `virga volume ls` show each",
		"verbose": "`virga images`, `virga ps -as` and `virga volume ls` show each",
	},
	"inspect": {
		"s":    "`virga ps -as` shows sizes",
		"size": "`virga ps -as` shows sizes",
	},
	"rm": {
		"l":    "there are no links; --network-alias gives names",
		"link": "there are no links; --network-alias gives names",
	},
}

// instanceFlags are those of run and create.
var instanceFlags = map[string]string{
	"annotation":            "use --label",
	"cgroup-parent":         "virga has a control group of its own for every instance; limits are flags, such as --cpus and --memory",
	"cpu-count":             "--cpus says how many",
	"cpu-percent":           "--cpus says how many",
	"cpu-rt-period":         "--type dedicated.small gives a workload cores of its own",
	"cpu-rt-runtime":        "--type dedicated.small gives a workload cores of its own",
	"cpuset-mems":           "memory cannot be bound to NUMA nodes; --cpuset-cpus binds to CPUs",
	"device-cgroup-rule":    "--device gives a device with its access, such as /dev/fuse:/dev/fuse:rw",
	"blkio-weight-device":   "--blkio-weight counts for the disk that holds the instance's files",
	"disable-content-trust": "images are verified by their digests; leave it out",
	"domainname":            "write the whole name with --hostname",
	"gpus":                  "give the GPU's devices with --device",
	"kernel-memory":         "--memory counts the kernel's memory too",
	"link-local-ip":         "--ip and --ip6 give an address on the network",
	"link":                  "instances on the same network find each other by name; --network-alias gives further names",
	"memory-swappiness":     "--memory-swap says how much swap there is; it is none without it",
	"oom-kill-disable":      "--oom-score-adj says how soon it is chosen",
	"runtime":               "--isolation says what separates the instance from its neighbours",
	"use-api-socket":        "mount it: -v /run/virga/virga.sock:/run/virga/virga.sock; who can open it is root on this machine",
}

// createFlags are those and what only run has.
var createFlags = func() map[string]string {
	m := maps.Clone(instanceFlags)
	m["a"] = "`virga start -a` shows the output, `virga start -ai` connects the input too"
	m["attach"] = m["a"]
	return m
}()

// dockerHint says what to do instead of a command that cmd, the root or a noun
// below it, has not.
func dockerHint(cmd *command.Command, word string) string {
	_, noun, below := strings.Cut(cmd.Path(), " ")
	switch {
	case !below:
		return dockerCommands[word]
	case noun == "instance" && word == "commit":
		return dockerCommands[word]
	}
	return dockerCommands[noun+" "+word]
}

// flagHint finds the hint for the flag of a command that pflag says is unknown.
func flagHint(command, message string) (string, bool) {
	name, long := strings.CutPrefix(message, "unknown flag: --")
	if !long {
		short, ok := strings.CutPrefix(message, "unknown shorthand flag: '")
		if !ok {
			return "", false
		}
		name, _, _ = strings.Cut(short, "'")
	}
	hint, ok := dockerFlags[command][name]
	return hint, ok
}

// inspectHint finds where what a template of Docker's asks for lies here.
func inspectHint(text string) string {
	for _, p := range []struct{ docker, here string }{
		{".NetworkSettings.IPAddress", "{{(index .Status.Addresses 0).Address}}"},
		{".NetworkSettings.Networks", "{{range .Status.Addresses}}{{.Network}} {{.Address}}{{end}}"},
		{".NetworkSettings.Ports", "{{json .Status.Ports}}"},
		{".NetworkSettings", "{{json .Status.Addresses}}"},
		{".State.Status", "{{.Status.Phase}}"},
		{".State.Running", "{{.Status.Phase}}"},
		{".State.Pid", "{{.Status.PID}}"},
		{".State.ExitCode", "{{.Status.ExitCode}}"},
		{".State.Health", "{{.Status.Health.State}}"},
		{".State.StartedAt", "{{.Status.Started}}"},
		{".State.", "{{json .Status}}"},
		{".Config.Env", "{{json .Spec.Env}}"},
		{".Config.Labels", "{{json .Labels}}"},
		{".Config.Image", "{{.Spec.Image}}"},
		{".Config.", "{{json .Spec}}"},
		{".HostConfig.", "{{json .Spec}}"},
		{".Mounts", "{{json .Spec.Mounts}}"},
		{".RestartCount", "{{.Status.Restarts}}"},
		{".Id}", "{{.ID}}"},
		{".Path", "{{index .Status.Command 0}}"},
		{".Args", "{{json .Status.Command}}"},
	} {
		if strings.Contains(text, p.docker) {
			return "Docker's " + strings.TrimSuffix(p.docker, ".") + " is " + p.here + " here"
		}
	}
	return ""
}
