package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
	"golang.org/x/term"
)

// maxPassword is as long as a token gets, in bytes.
const maxPassword = 64 << 10

type login struct {
	user, password string
	fromStdin      bool
	insecure       bool
}

func loginCommand(a *App) *command.Command {
	var l login
	cmd := &command.Command{
		Use:   "login [flags] [REGISTRY]",
		Short: "Log in to a registry",
		Long: "Check a user name and password with a registry (docker.io without one), and keep them where pull and push\n" +
			"look for them: in Docker's config.json, or with the credential helper that it names.",
		Example: "  virga login registry.example.com\n  echo $TOKEN | virga login -u robot --password-stdin localhost:5000",
		Args:    arguments(0, 1),
		Run: func(cmd *command.Command, args []string) error {
			return l.run(cmd.Context(), a, registryArgument(args), cmd.Flags().Changed("password"))
		},
	}
	f := cmd.Flags()
	f.StringVarP(&l.user, "username", "u", "", "user `name`")
	f.StringVarP(&l.password, "password", "p", "", "`password`, which others on this machine can see; better --password-stdin")
	f.BoolVar(&l.fromStdin, "password-stdin", false, "read the password from standard input")
	f.BoolVar(&l.insecure, "insecure", false, "allow plain HTTP to the registry")
	return cmd
}

func logoutCommand(a *App) *command.Command {
	return &command.Command{
		Use:     "logout [REGISTRY]",
		Short:   "Forget the credential of a registry",
		Example: "  virga logout registry.example.com",
		Args:    arguments(0, 1),
		Run: func(cmd *command.Command, args []string) error {
			host := registryArgument(args)
			f, err := a.openDockerFile()
			if err != nil {
				return err
			}
			had, err := f.forget(cmd.Context(), host)
			if err != nil {
				return err
			}
			if !had {
				fmt.Fprintf(a.Out, "not logged in to %s\n", host)
				return nil
			}
			fmt.Fprintf(a.Out, "logged out of %s\n", host)
			return nil
		},
	}
}

// registryArgument is the host that is meant by a registry's name or address.
func registryArgument(args []string) string {
	if len(args) == 0 {
		return "docker.io"
	}
	host := strings.TrimPrefix(strings.TrimPrefix(args[0], "https://"), "http://")
	host, _, _ = strings.Cut(host, "/")
	switch host {
	case "index.docker.io", "registry-1.docker.io", "":
		return "docker.io"
	}
	return host
}

func (l *login) run(ctx context.Context, a *App, host string, onLine bool) error {
	f, err := a.openDockerFile()
	if err != nil {
		return err
	}
	if err := l.ask(a, onLine); err != nil {
		return err
	}
	err = a.api().Login(ctx, api.LoginRequest{
		Registry: host, Insecure: l.insecure,
		Auth: api.RegistryAuth{Username: l.user, Password: api.Secret(l.password)},
	})
	if err != nil {
		return err
	}
	where, err := f.keep(ctx, host, l.user, l.password)
	if err != nil {
		return err
	}
	if where == f.path {
		a.warn("the password is kept in %s, encoded but not encrypted; a credential helper (credsStore in it) keeps it better", where)
	}
	fmt.Fprintf(a.Out, "logged in to %s as %s\n", host, l.user)
	return nil
}

// ask completes user and password from standard input.
func (l *login) ask(a *App, onLine bool) error {
	fd, tty := terminal(a.In)
	switch {
	case l.fromStdin && onLine:
		return api.Invalid("password", "--password and --password-stdin exclude each other")
	case l.fromStdin && l.user == "":
		return api.Invalid("username", "--password-stdin needs a user name").WithHint("add --username NAME")
	case l.fromStdin:
		b, err := io.ReadAll(io.LimitReader(a.In, maxPassword+1))
		if err != nil {
			return api.Invalid("password", "standard input: %s", reason(err))
		}
		l.password = strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	case !tty && (l.user == "" || !onLine):
		return api.Invalid("username", "nobody is there to ask for a user name and password").
			WithHint("write `virga login --username NAME --password-stdin < FILE`")
	case onLine:
		a.warn("a password on the command line can be seen by others on this machine; --password-stdin is better")
	}
	if l.user == "" {
		fmt.Fprint(a.Err, "user name: ")
		line, err := bufio.NewReader(a.In).ReadString('\n')
		if err != nil {
			return api.Invalid("username", "no user name was given")
		}
		l.user = strings.TrimSpace(line)
	}
	if !l.fromStdin && !onLine {
		fmt.Fprint(a.Err, "password: ")
		b, err := term.ReadPassword(fd)
		fmt.Fprintln(a.Err)
		if err != nil {
			return api.Invalid("password", "no password was given")
		}
		l.password = string(b)
	}
	return l.check()
}

func (l *login) check() error {
	switch {
	case l.user == "":
		return api.Invalid("username", "the user name is empty")
	case strings.Contains(l.user, ":"):
		return api.Invalid("username", "user name %q has a colon, which registries cannot take", l.user)
	case l.password == "":
		return api.Invalid("password", "the password is empty")
	case len(l.password) > maxPassword:
		return api.Invalid("password", "the password has more than %d bytes", maxPassword)
	case strings.ContainsAny(l.password, "\x00\n"):
		return api.Invalid("password", "the password has more than one line")
	}
	return nil
}
