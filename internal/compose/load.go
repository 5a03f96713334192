package compose

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
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
	// Alone leaves the dependencies of Services out.
	Alone bool
	// Scale are numbers of instances that go before the file's, by service.
	Scale map[string]int
	Pull  string // pull policy that goes before the file's; "" does not
}

// Load reads a project with everything it includes. Variables come from the
// process's environment and the env files.
func Load(ctx context.Context, s Source) (*types.Project, error) {
	chosen := s.Services
	if s.Alone {
		chosen = nil // here it would bring its dependencies
	}
	o, err := cli.NewProjectOptions(s.Files,
		cli.WithWorkingDirectory(s.Directory),
		cli.WithOsEnv,
		cli.WithEnvFiles(s.EnvFiles...),
		cli.WithDotEnv,
		cli.WithConfigFileEnv,
		cli.WithDefaultConfigPath,
		cli.WithDefaultProfiles(s.Profiles...),
		cli.WithName(s.Name),
		cli.WithSelectedServices(chosen...),
		cli.WithDiscardEnvFile,
		cli.WithLoadOptions(boundPorts),
	)
	if err != nil {
		return nil, loadError(err)
	}
	p, err := o.LoadProject(ctx)
	if err == nil && s.Alone {
		if p, err = p.WithServicesEnabled(s.Services...); err == nil {
			p, err = p.WithSelectedServices(s.Services, types.IgnoreDependencies)
		}
	}
	if err != nil {
		return nil, loadError(err)
	}
	if err := pull(p, s.Pull); err != nil {
		return nil, err
	}
	return p, scale(p, s.Scale)
}

// pull gives all services another pull policy.
func pull(p *types.Project, policy string) error {
	switch policy {
	case "":
		return nil
	case types.PullPolicyMissing, types.PullPolicyAlways, types.PullPolicyNever:
	default:
		return api.Invalid("pull", "--pull %q: want missing, always or never", policy)
	}
	for name, s := range p.Services {
		s.PullPolicy = policy
		p.Services[name] = s
	}
	return nil
}

// scale gives services other numbers of instances.
func scale(p *types.Project, to map[string]int) error {
	for _, name := range slices.Sorted(maps.Keys(to)) {
		s, ok := p.Services[name]
		if !ok {
			return api.Errorf(api.CodeNotFound, "there is no service %q to scale", name).
				WithHint("the services are: %s", strings.Join(p.ServiceNames(), ", "))
		}
		s.SetScale(to[name])
		p.Services[name] = s
	}
	return nil
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
		if p, ok := errors.AsType[*fs.PathError](err); ok {
			return api.Errorf(api.CodeNotFound, "compose file: %s: %s", p.Path, p.Err).WithHint("a path is relative to where the command runs, or to --project-directory")
		}
		return api.Errorf(api.CodeNotFound, "compose file: %s", text)
	case strings.Contains(text, "cycle detected"):
		return e.WithHint("no service can start before the one it depends on: take one depends_on of the circle away")
	}
	return e
}
