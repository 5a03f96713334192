package cli

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"
	"github.com/virga-cloud/virga/api"
)

// specFlags are the flags of run and create: all that describes an instance.
// Each part knows its own flags and its own piece of the spec.
type specFlags struct {
	name       string
	labels     []string
	labelFiles []string
	isolation  string
	kind       string
	credits    string
	restart    string

	process  processFlags
	network  networkFlags
	storage  storageFlags
	limits   limitFlags
	security securityFlags
	health   healthFlags
	metadata metadataFlags
	spot     spotFlags
	place    placementFlags

	namespaces namespaceFlags
	log        logFlags

	pull     string
	platform string
	cidFile  string
	quiet    bool
}

func (s *specFlags) register(f *pflag.FlagSet) {
	f.SetInterspersed(false)                // what follows the image belongs to the workload
	f.Bool("help", false, "show this help") // -h is the host name's
	f.StringVar(&s.name, "name", "", "`name` of the instance")
	listVar(f, &s.labels, "label", "l", "set a label (`KEY=VALUE`)")
	listVar(f, &s.labelFiles, "label-file", "", "read labels from a `file`, one a line")
	f.StringVar(&s.isolation, "isolation", "", "what separates it from its neighbours: container, microvm, vm, unikernel")
	f.StringVar(&s.kind, "type", "", "instance `type`, such as burst.small; see virga type ls")
	f.StringVar(&s.credits, "credits", "", "what a burst type does without credits: standard, unlimited (default the type's)")
	f.StringVar(&s.restart, "restart", "", "restart `policy`: no, always, unless-stopped, on-failure[:N]")
	f.StringVar(&s.pull, "pull", "missing", "pull the image: missing, always, never")
	f.StringVar(&s.platform, "platform", "", "`platform` of the image to pull, such as linux/arm64")
	f.BoolVarP(&s.quiet, "quiet", "q", false, "do not show the progress of a pull")
	f.StringVar(&s.cidFile, "cidfile", "", "write the instance's id to a new `file`")
	s.process.register(f)
	s.network.register(f)
	s.storage.register(f)
	s.limits.register(f)
	s.security.register(f)
	s.health.register(f)
	s.metadata.register(f)
	s.spot.register(f)
	s.place.register(f)
	s.namespaces.register(f)
	s.log.register(f)
}

// removeVar adds --rm of run and create.
func removeVar(f *pflag.FlagSet, remove *bool) {
	f.BoolVar(remove, "rm", false, "remove the instance and its anonymous volumes when it has ended")
}

// request makes the request that the flags and arguments (image and command)
// stand for.
func (s *specFlags) request(a *App, f *pflag.FlagSet, args []string) (api.CreateRequest, error) {
	r := api.CreateRequest{Name: s.name, Spec: api.InstanceSpec{
		Image:     args[0],
		Command:   args[1:],
		Isolation: api.Isolation(s.isolation),
		Type:      s.kind,

		CreditMode: api.CreditMode(s.credits),
	}}
	if s.pull != "missing" && s.pull != "always" && s.pull != "never" {
		return r, api.Invalid("pull", "--pull %q: want missing, always or never", s.pull)
	}
	var err error
	if r.Labels, err = readLabels(s.labels, s.labelFiles); err != nil {
		return r, err
	}
	if r.Spec.Restart, err = parseRestart(s.restart); err != nil {
		return r, err
	}
	if err := s.process.apply(a, f, &r.Spec); err != nil {
		return r, err
	}
	if err := s.network.apply(&r.Spec); err != nil {
		return r, err
	}
	if err := s.storage.apply(&r.Spec); err != nil {
		return r, err
	}
	if err := s.limits.apply(&r.Spec); err != nil {
		return r, err
	}
	if err := s.security.apply(a, &r.Spec.Security); err != nil {
		return r, err
	}
	if err := s.namespaces.apply(&r.Spec.Namespaces); err != nil {
		return r, err
	}
	if err := s.log.apply(&r.Spec); err != nil {
		return r, err
	}
	if err := s.spot.apply(f, &r.Spec); err != nil {
		return r, err
	}
	s.place.apply(&r.Spec)
	if err := s.metadata.apply(a, &r.Spec); err != nil {
		return r, err
	}
	return r, s.health.apply(&r.Spec)
}

func readLabels(labels, files []string) (map[string]string, error) {
	var lines []string
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, fileError("label-file", path, err)
		}
		for line := range strings.Lines(string(b)) {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
				lines = append(lines, line)
			}
		}
	}
	lines = append(lines, labels...)
	if len(lines) == 0 {
		return nil, nil
	}
	out := make(map[string]string, len(lines))
	for _, l := range lines {
		k, v, err := parseLabel(l)
		if err != nil {
			return nil, err
		}
		out[k] = v
	}
	return out, nil
}

// fileError is the user's error of a file that a flag names.
func fileError(flag, path string, err error) error {
	return api.Invalid(flag, "--%s %s: %s", flag, filepath.Clean(path), reason(err))
}

// reason is the last cause of an error of the file system, without its path.
func reason(err error) error {
	for {
		e, ok := err.(interface{ Unwrap() error })
		if !ok || e.Unwrap() == nil {
			return err
		}
		err = e.Unwrap()
	}
}
