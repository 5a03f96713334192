package cli

import (
	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

// oneOf offers fixed words.
func oneOf(words ...string) completion {
	return func(*command.Command, []string, string) ([]string, command.Completion) {
		return words, command.WordsOnly
	}
}

// specValues are the words that flags of run and create take.
func (a *App) specValues() map[string]completion {
	networks := func(cmd *command.Command, args []string, word string) ([]string, command.Completion) {
		names, kind := a.completeNetworks()(cmd, args, word)
		return append(names, api.NetworkHost+"\tthe node's own", api.NetworkNone+"\tloopback only"), kind
	}
	return map[string]completion{
		"credits":           oneOf(string(api.CreditStandard), string(api.CreditUnlimited)),
		"ipc":               a.namespaceWords,
		"isolation":         oneOf(string(api.IsolationContainer), string(api.IsolationMicroVM), string(api.IsolationVM), string(api.IsolationUnikernel)),
		"metadata":          oneOf("v2", "v1", "off"),
		"net":               networks,
		"network":           networks,
		"pid":               a.namespaceWords,
		"pull":              oneOf("missing", "always", "never"),
		"restart":           oneOf(api.RestartNo, api.RestartAlways, api.RestartUnlessStopped, api.RestartOnFailure),
		"security-opt":      oneOf("seccomp=unconfined", "no-new-privileges", "no-new-privileges=false", "systempaths=unconfined"),
		"spot-interruption": oneOf("terminate", "stop", "hibernate"),
		"stop-signal":       oneOf(signalWords...),
		"type":              a.completeTypes(),
		"userns":            oneOf("private", "host"),
		"volume":            a.volumeWords,
		"volumes-from":      a.completeInstances(anyPhase, -1),
	}
}

// volumeWords offers volumes, and leaves paths to the shell.
func (a *App) volumeWords(cmd *command.Command, args []string, word string) ([]string, command.Completion) {
	names, _ := a.completeVolumes()(cmd, args, word)
	return names, command.Files
}

// signalWords are the signals that people send.
var signalWords = []string{"SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGSTOP", "SIGCONT"}
