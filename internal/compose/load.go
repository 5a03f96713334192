package compose

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/errdefs"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/virga-cloud/virga/api"
)

// Source says where a project is read from.
type Source struct {
	Files     []string // default compose.yaml and its kin, here or above
	Directory string   // that relative paths start from; default the first file's
	Name      string   // of the project; default the file's name:, else the directory's
	EnvFiles  []string // default .env
	Profiles  []string
	Services  []string // chosen with their dependencies; default all
}

// Load reads a project with everything it includes. Variables come from the
// process's environment and the env files.
func Load(ctx context.Context, s Source) (*types.Project, error) {
	o, err := cli.NewProjectOptions(s.Files,
		cli.WithWorkingDirectory(s.Directory),
		cli.WithOsEnv,
		cli.WithEnvFiles(s.EnvFiles...),
		cli.WithDotEnv,
		cli.WithConfigFileEnv,
		cli.WithDefaultConfigPath,
		cli.WithDefaultProfiles(s.Profiles...),
		cli.WithName(s.Name),
		cli.WithSelectedServices(s.Services...),
		cli.WithDiscardEnvFile,
		cli.WithLoadOptions(boundPorts),
	)
	if err != nil {
		return nil, loadError(err)
	}
	p, err := o.LoadProject(ctx)
	if err != nil {
		return nil, loadError(err)
	}
	return p, nil
}

// loadError is always the user's: the library only reads and checks.
func loadError(err error) error {
	text := strings.TrimSpace(err.Error())
	if ports, ok := errors.AsType[*tooManyPorts](err); ok {
		where, _, _ := strings.Cut(strings.TrimPrefix(text, "error while interpolating "), ".[]")
		return api.Invalid(where, "compose file: %s: %s", where, ports).
			WithHint("publish the ports that are used; on a network of the project every port of a service is open")
	}
	e := api.Errorf(api.CodeInvalid, "compose file: %s", text)
	switch {
	case errors.Is(err, errdefs.ErrNotFound) && strings.Contains(text, "configuration file"):
		return api.Errorf(api.CodeNotFound, "there is no Compose file here or above").
			WithHint("write a compose.yaml, or name one with -f FILE")
	case errors.Is(err, fs.ErrNotExist):
		return api.Errorf(api.CodeNotFound, "compose file: %s", text)
	case strings.Contains(text, "cycle detected"):
		return e.WithHint("no service can start before the one it depends on: take one depends_on of the circle away")
	}
	return e
}
