package command

import (
	"fmt"
	"os"

	"github.com/virga-cloud/virga/internal/command"
	"github.com/virga-cloud/virga/internal/compose"
)

func (a *app) config() *command.Command {
	var quiet, services, asJSON bool
	cmd := &command.Command{
		Use:     "config [flags] [SERVICE...]",
		Short:   "Check the Compose file and print it resolved",
		Long:    "Check the Compose file and print it with variables, includes and defaults filled in. What is not honoured is told on standard error.",
		Example: "  virga compose config\n  virga compose config -q && echo fine",
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
			var b []byte
			switch {
			case quiet:
			case services:
				for _, w := range plan.Workloads {
					b = fmt.Appendln(b, w.Service)
				}
			case asJSON:
				if b, err = p.MarshalJSON(); err == nil {
					b = append(b, '\n')
				}
			default:
				b, err = p.MarshalYAML()
			}
			if err != nil {
				return err
			}
			_, err = a.out.Write(b)
			return err
		},
	}
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "only check")
	cmd.Flags().BoolVar(&services, "services", false, "print the names of the services in the order they start in")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
