package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	osexec "os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

// DefaultDataDir is where the daemon keeps everything unless told otherwise.
const DefaultDataDir = "/var/lib/virga"

func serverCommand(a *App) *command.Command {
	return &command.Command{
		Use:     "server [flags]",
		Short:   "Run the daemon",
		Long:    "Run the daemon in the foreground. Its program is carried by this one and unpacked once.",
		Example: "  virga server\n  virga server --data-dir /srv/virga --socket /run/virga/virga.sock\n  virga server --help",
		Raw:     true, // the flags are the daemon's
		Run: func(cmd *command.Command, args []string) error {
			file, err := a.daemonFile(dataDirOf(args))
			if err != nil {
				return err
			}
			// The daemon takes this process's place, so that whoever
			// supervises it sees one process.
			self, _ := os.Executable() // without it starts of the command take longer
			argv := daemonArgs(args, first(a.endpoint.Socket, a.env("VIRGA_SOCKET")), self)
			return become(cmd.Context(), file, argv)
		},
	}
}

// daemonArgs are the daemon's name and arguments: what was typed, and what this
// command knows besides, its socket and its own file, where they are not "".
func daemonArgs(args []string, socket, self string) []string {
	argv := append([]string{"virgad"}, args...)
	if socket != "" && !hasFlag(args, "socket") {
		argv = append(argv, "--socket="+strings.TrimPrefix(socket, "unix://"))
	}
	if self != "" && !hasFlag(args, "command") {
		argv = append(argv, "--command="+self)
	}
	return argv
}

// become puts a program in this process's place. A signal that asks this one to
// end ends either of them: it is not swallowed on the way.
func become(ctx context.Context, file string, argv []string) error {
	signal.Reset()
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := syscall.Exec(file, argv, os.Environ()); err != nil {
		return fmt.Errorf("execute %s: %w", file, err)
	}
	return nil
}

// dataDirOf finds --data-dir among the daemon's arguments.
func dataDirOf(args []string) string {
	for i, arg := range args {
		if v, ok := strings.CutPrefix(arg, "--data-dir="); ok {
			return v
		}
		if arg == "--data-dir" && i+1 < len(args) {
			return args[i+1]
		}
	}
	return DefaultDataDir
}

func hasFlag(args []string, name string) bool {
	for _, arg := range args {
		if arg == "--"+name || strings.HasPrefix(arg, "--"+name+"=") {
			return true
		}
	}
	return false
}

// daemonFile returns a path at which the daemon can be executed.
func (a *App) daemonFile(dataDir string) (string, error) {
	packed, err := a.packedDaemon()
	if err != nil {
		return "", err
	}
	if packed != nil {
		return unpackDaemon(packed, filepath.Join(dataDir, "bin"))
	}
	if self, err := os.Executable(); err == nil {
		if beside := filepath.Join(filepath.Dir(self), "virgad"); isProgram(beside) {
			return beside, nil
		}
	}
	if file, err := osexec.LookPath("virgad"); err == nil {
		return file, nil
	}
	return "", api.Errorf(api.CodeNotSupported, "this build of virga does not carry the daemon").
		WithHint("build it with `make build`, or put virgad beside virga")
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// packedDaemon opens the compressed daemon, nil in a build without it. It is
// carried in memory: there is nothing to close.
func (a *App) packedDaemon() (io.ReadSeeker, error) {
	if a.Daemon == nil {
		return nil, nil
	}
	f, err := a.Daemon.Open("virgad.gz")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	packed, ok := f.(io.ReadSeeker)
	if !ok {
		return nil, errors.New("the carried daemon cannot be sought in")
	}
	return packed, nil
}
