package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func tokenCommand(a *App) *command.Command {
	cmd := &command.Command{
		Use:   "token",
		Short: "Let other machines use the API, and stop it",
		Long: "Whoever has a token may do everything that the API can, over TLS, where the daemon runs with --listen.\n" +
			"A token is shown when it is made and never again; the daemon keeps a digest of it.",
		Example: "  virga token create laptop --file laptop.token\n" +
			"  virga service ca > virga-ca.pem\n" +
			"  virga --host https://node1:7443 --ca-file virga-ca.pem --token-file laptop.token ps",
		Args: noCommand,
		Run:  func(cmd *command.Command, _ []string) error { return cmd.Help() },
	}
	cmd.Add(tokenCreateCommand(a), tokenListCommand(a),
		removal{
			use: "rm [flags] TOKEN...", short: "Remove tokens: their bearers are let in no more", example: "  virga token rm laptop",
			complete: a.completeTokens(),
			do:       func(ctx context.Context, name string, _ bool) error { return a.api().RemoveToken(ctx, name) },
		}.command(a))
	return cmd
}

func tokenCreateCommand(a *App) *command.Command {
	var file string
	cmd := &command.Command{
		Use:     "create [flags] NAME",
		Short:   "Make a token and print it",
		Example: "  virga token create laptop --file laptop.token",
		Args:    arguments(1, 1),
		Run: func(cmd *command.Command, args []string) error {
			if file == "" {
				t, err := a.api().CreateToken(cmd.Context(), args[0])
				if err == nil {
					fmt.Fprintln(a.Out, t.Secret)
				}
				return err
			}
			// The file first: a token that cannot be kept is of no use.
			f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if errors.Is(err, fs.ErrExist) {
				return api.Errorf(api.CodeConflict, "%s exists already", file).WithHint("choose another file, or remove it")
			}
			if err != nil {
				return err
			}
			t, err := a.api().CreateToken(cmd.Context(), args[0])
			if err == nil {
				_, err = fmt.Fprintln(f, t.Secret)
			}
			if err = errors.Join(err, f.Close()); err != nil {
				_ = os.Remove(file)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "write it to a new `file` that only its owner may read")
	return cmd
}

func tokenListCommand(a *App) *command.Command {
	var l listFlags
	cmd := &command.Command{
		Use:     "ls [flags]",
		Short:   "List tokens, without their secrets",
		Example: "  virga token ls",
		Args:    arguments(0, 0),
		Run: func(cmd *command.Command, _ []string) error {
			list, err := a.api().Tokens(cmd.Context())
			if err != nil {
				return err
			}
			return listing[api.Token]{
				columns: tokenColumns, rows: list, objects: list,
				quiet:  func(t api.Token) string { return t.Name },
				object: func(t api.Token) any { return t },
			}.show(a, l)
		},
	}
	l.register(cmd.Flags())
	return cmd
}

var tokenColumns = []column[api.Token]{
	{"Name", "TOKEN", func(t api.Token) string { return t.Name }},
	{"CreatedSince", "CREATED", func(t api.Token) string { return ago(time.Now(), t.Created) }},
}
