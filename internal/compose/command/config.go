package command

import (
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
	"github.com/virga-cloud/virga/internal/compose"
)

// configuration is what config prints of a project.
type configuration struct {
	quiet, asJSON                                 bool
	services, images, volumes, networks, profiles bool
	hash                                          string
	format, output                                string
}

func (a *app) config() *command.Command {
	var c configuration
	cmd := &command.Command{
		Use:     "config [flags] [SERVICE...]",
		Short:   "Check the Compose file and print it resolved",
		Long:    "Check the Compose file and print it with variables, includes and defaults filled in. What is not honoured is told on standard error.",
		Example: "  virga compose config\n  virga compose config --format json\n  virga compose config -q && echo fine",
		Run: func(cmd *command.Command, args []string) error {
			s := a.source.Source
			s.Services = args
			p, err := compose.Load(cmd.Context(), s)
			if err != nil {
				return err
			}
			plan, err := compose.Translate(p, compose.Options{FilesDir: "/", ReadFile: os.ReadFile})
			if err != nil {
				return err
			}
			for _, w := range plan.Warnings {
				a.warn(w)
			}
			b, err := c.print(p, plan)
			if err != nil {
				return err
			}
			if c.output != "" {
				return os.WriteFile(c.output, b, 0o644)
			}
			_, err = a.out.Write(b)
			return err
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&c.quiet, "quiet", "q", false, "only check")
	f.StringVar(&c.format, "format", "yaml", "yaml or json")
	f.BoolVar(&c.asJSON, "json", false, "print JSON")
	f.BoolVar(&c.services, "services", false, "print the names of the services in the order they start in")
	f.BoolVar(&c.images, "images", false, "print the images that the services run")
	f.BoolVar(&c.volumes, "volumes", false, "print the names of the volumes in the file")
	f.BoolVar(&c.networks, "networks", false, "print the names of the networks in the file")
	f.BoolVar(&c.profiles, "profiles", false, "print the names of the profiles in the file")
	f.StringVar(&c.hash, "hash", "", "print the configuration's hash of a `service`, * for all: up replaces what has another one")
	f.StringVarP(&c.output, "output", "o", "", "write to a `file`")
	return cmd
}

// print is what is asked for of a project.
func (c *configuration) print(p *types.Project, plan *compose.Plan) ([]byte, error) {
	var lines []string
	switch {
	case c.quiet:
		return nil, nil
	case c.services:
		for _, w := range plan.Workloads {
			lines = append(lines, w.Service)
		}
	case c.images:
		for _, w := range plan.Workloads {
			lines = append(lines, w.Spec().Image)
		}
		slices.Sort(lines)
		lines = slices.Compact(lines)
	case c.volumes:
		lines = slices.Sorted(maps.Keys(p.Volumes))
	case c.networks:
		lines = slices.Sorted(maps.Keys(p.Networks))
	case c.profiles:
		lines = profiles(p)
	case c.hash != "":
		for _, w := range plan.Workloads {
			if c.hash == "*" || c.hash == w.Service {
				lines = append(lines, w.Service+" "+w.Hash())
			}
		}
		if len(lines) == 0 {
			return nil, api.Errorf(api.CodeNotFound, "there is no service %q", c.hash)
		}
	case c.asJSON, c.format == "json":
		b, err := p.MarshalJSON()
		return append(b, '\n'), err
	case c.format == "yaml":
		return p.MarshalYAML()
	default:
		return nil, api.Invalid("format", "--format %q: want yaml or json", c.format)
	}
	var b []byte
	for _, l := range lines {
		b = fmt.Appendln(b, l)
	}
	return b, nil
}

// profiles are those that services of the file name.
func profiles(p *types.Project) (names []string) {
	for _, s := range p.AllServices() {
		names = append(names, s.Profiles...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
