package cli

import (
	"context"
	"io"
	"io/fs"
	"os"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
	"github.com/virga-cloud/virga/internal/endpoint"
	"golang.org/x/term"
)

// App is one invocation of the command.
type App struct {
	In       io.Reader
	Out, Err io.Writer
	// Env looks up a variable of the environment.
	Env func(string) (string, bool)
	// Daemon holds virgad.gz, the compressed daemon; without it, the
	// program virgad is looked up beside the command and in PATH.
	Daemon fs.FS
	// Version is the version of this build.
	Version string

	endpoint endpoint.Flags
	client   *api.Client
}

// Main runs the command with the process's arguments and returns its exit
// status.
func Main(daemon fs.FS, version string) int {
	a := &App{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.LookupEnv, Daemon: daemon, Version: version}
	return a.Run(newInterruptible(), os.Args[1:])
}

// Run runs one command and returns its exit status.
func (a *App) Run(ctx context.Context, args []string) int {
	root := a.root(find(args))
	cmd, err := root.Execute(ctx, args)
	if a.client != nil {
		_ = a.client.Close()
	}
	return a.report(cmd, err)
}

func (a *App) env(name string) string {
	v, _ := a.Env(name)
	return v
}

// terminal returns the descriptor of a stream that is a terminal.
func terminal(stream any) (fd int, ok bool) {
	f, ok := stream.(interface{ Fd() uintptr })
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	return int(f.Fd()), true
}

// colour reports whether w may be written escape sequences to.
func (a *App) colour(w io.Writer) bool {
	_, tty := terminal(w)
	return tty && a.env("NO_COLOR") == "" && a.env("TERM") != "dumb"
}

// first returns the first string that is not empty.
func first(s ...string) string {
	for _, v := range s {
		if v != "" {
			return v
		}
	}
	return ""
}

// root is the command tree with some of its commands. Building it does no I/O.
func (a *App) root(groups []group) *command.Command {
	root := &command.Command{
		Use:   "virga",
		Short: "A whole cloud in one binary",
		Long: "virga runs OCI images as containers and virtual machines on this machine.\n\n" +
			"The commands talk to a daemon, which `virga server` starts.",
		Example: "  virga server &                          # start the daemon\n" +
			"  virga run --rm virga/hello              # run something\n" +
			"  virga run -d --name web -p 8080:80 nginx\n" +
			"  virga ps",
		Args:    noCommand,
		Run:     func(cmd *command.Command, _ []string) error { return cmd.Help() },
		BadFlag: usage,
		Out:     a.Out,
	}
	a.endpoint.Register(root.PersistentFlags())
	for _, g := range groups {
		root.AddGroup(command.Group{ID: g.id, Title: g.title})
		for _, e := range g.commands {
			cmd := e.make(a)
			cmd.Group = g.id
			root.Add(cmd)
		}
	}
	return root
}
