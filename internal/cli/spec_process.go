package cli

import (
	"os"
	"time"

	"github.com/spf13/pflag"
	"github.com/virga-cloud/virga/api"
)

// processFlags describe the workload's process.
type processFlags struct {
	entrypoint  string
	env         []string
	envFiles    []string
	workDir     string
	user        string
	groups      []string
	tty         bool
	stdin       bool
	init        bool
	stopSignal  string
	stopTimeout int
}

func (p *processFlags) register(f *pflag.FlagSet) {
	f.StringVar(&p.entrypoint, "entrypoint", "", "`program` instead of the image's entrypoint; empty clears it")
	listVar(f, &p.env, "env", "e", "set a variable (`KEY=VALUE`, or KEY to pass on your own)")
	listVar(f, &p.envFiles, "env-file", "", "read variables from a `file`, one a line")
	f.StringVarP(&p.workDir, "workdir", "w", "", "working `directory`")
	f.StringVarP(&p.user, "user", "u", "", "`user[:group]` by name or number")
	listVar(f, &p.groups, "group-add", "", "additional `group`")
	f.BoolVarP(&p.tty, "tty", "t", false, "give the process a terminal")
	f.BoolVarP(&p.stdin, "interactive", "i", false, "keep standard input open")
	f.BoolVar(&p.init, "init", false, "run a tiny init that reaps and forwards signals")
	f.StringVar(&p.stopSignal, "stop-signal", "", "`signal` that asks it to stop")
	f.IntVar(&p.stopTimeout, "stop-timeout", 0, "`seconds` from the stop signal to SIGKILL (default 10)")
}

func (p *processFlags) apply(a *App, f *pflag.FlagSet, s *api.InstanceSpec) error {
	if f.Changed("entrypoint") {
		s.Entrypoint = []string{p.entrypoint}
	}
	var err error
	if s.Env, err = readEnv(a.Env, p.envFiles, p.env); err != nil {
		return err
	}
	s.WorkingDir, s.User, s.Groups = p.workDir, p.user, p.groups
	s.TTY, s.Stdin, s.Init, s.StopSignal = p.tty, p.stdin, p.init, p.stopSignal
	if f.Changed("stop-timeout") {
		if p.stopTimeout < 0 {
			return api.Invalid("spec.stopTimeout", "--stop-timeout %d is negative", p.stopTimeout)
		}
		d := api.Duration(time.Duration(p.stopTimeout) * time.Second)
		s.StopTimeout = &d
	}
	return nil
}

// readEnv gathers variables: those of files first, so that flags override them.
func readEnv(own lookup, files, flags []string) ([]string, error) {
	var out []string
	for _, path := range files {
		file, err := os.Open(path)
		if err != nil {
			return nil, fileError("env-file", path, err)
		}
		env, err := parseEnvFile(file, own)
		_ = file.Close() // read only
		if err != nil {
			return nil, err
		}
		out = append(out, env...)
	}
	for _, e := range flags {
		kv, ok, err := parseEnv(e, own)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, kv)
		}
	}
	return out, nil
}
