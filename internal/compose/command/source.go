package command

import (
	"context"
	"os"
	"path/filepath"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/spf13/pflag"
	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/compose"
	"github.com/virga-cloud/virga/internal/compose/deploy"
	"golang.org/x/term"
)

// source are the flags that say what project is meant.
type source struct{ compose.Source }

func (s *source) register(f *pflag.FlagSet) {
	short := "f"
	if f.ShorthandLookup(short) != nil {
		short = "" // of logs, where it means what Docker's means
	}
	f.StringArrayVarP(&s.Files, "file", short, nil, "Compose `file`; several are laid over each other (default compose.yaml here or above)")
	f.StringVarP(&s.Name, "project-name", "p", "", "`name` of the Compose project (default the file's, else its directory's)")
	f.StringVar(&s.Directory, "project-directory", "", "`directory` that relative paths start from (default the file's)")
	f.StringArrayVar(&s.EnvFiles, "env-file", nil, "`file` of variables for the Compose file (default .env)")
	f.StringArrayVar(&s.Profiles, "profile", nil, "`profile` to switch on")
}

// plan reads the project and translates it; what is not honoured is told when
// aloud.
func (a *app) plan(ctx context.Context, services []string, aloud bool) (*compose.Plan, error) {
	s := a.source.Source
	s.Services = services
	p, err := compose.Load(ctx, s)
	if err != nil {
		return nil, err
	}
	dir, err := filesDir()
	if err != nil {
		return nil, err
	}
	plan, err := compose.Translate(p, compose.Options{FilesDir: dir, ReadFile: os.ReadFile})
	if err != nil {
		return nil, err
	}
	if aloud {
		for _, w := range plan.Warnings {
			a.warn(w)
		}
	}
	return plan, nil
}

// projectName is the name of the project without more of its files than it
// takes.
func (a *app) projectName(ctx context.Context) (string, error) {
	if a.source.Name != "" && len(a.source.Files) == 0 {
		if n := loader.NormalizeProjectName(a.source.Name); n != a.source.Name {
			return "", api.Invalid("project-name", "%q is not a project name", a.source.Name).WithHint("such as %s", n)
		}
		return a.source.Name, nil
	}
	p, err := compose.Load(ctx, a.source.Source)
	if err != nil {
		return "", err
	}
	return p.Name, nil
}

// deployment acts on the project of that name.
func (a *app) deployment(project string) (*deploy.Deployment, error) {
	dir, err := filesDir()
	if err != nil {
		return nil, err
	}
	colour := false
	if f, ok := a.out.(*os.File); ok {
		colour = term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	}
	return &deploy.Deployment{
		Client: a.api(), Project: project, FilesDir: dir,
		Out: a.out, Colour: colour, Progress: deploy.NewProgress(a.err),
	}, nil
}

// withDeployment does something with the project that flags or files name.
func (a *app) withDeployment(ctx context.Context, do func(*deploy.Deployment) error) error {
	name, err := a.projectName(ctx)
	if err != nil {
		return err
	}
	d, err := a.deployment(name)
	if err != nil {
		return err
	}
	defer d.Client.Close()
	return do(d)
}

// withPlan does something with the project whose files say what it is to be.
func (a *app) withPlan(ctx context.Context, services []string, do func(*deploy.Deployment, *compose.Plan) error) error {
	plan, err := a.plan(ctx, services, true)
	if err != nil {
		return err
	}
	d, err := a.deployment(plan.Project)
	if err != nil {
		return err
	}
	defer d.Client.Close()
	return do(d, plan)
}

// filesDir is where the contents of configs and secrets are kept: they must
// outlast a restart of the machine, as instances do.
func filesDir() (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "virga", "compose"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", api.Errorf(api.CodeInvalid, "no place for the contents of configs and secrets: %s", err).WithHint("set HOME or XDG_STATE_HOME")
	}
	return filepath.Join(home, ".local", "state", "virga", "compose"), nil
}
