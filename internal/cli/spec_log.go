package cli

import (
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	"github.com/virga-cloud/virga/api"
)

// logFlags bound what is kept of the output.
type logFlags struct {
	driver  string
	options []string
}

func (l *logFlags) register(f *pflag.FlagSet) {
	f.StringVar(&l.driver, "log-driver", "", "local: the log is kept on the node")
	_ = f.MarkHidden("log-driver")
	listVar(f, &l.options, "log-opt", "", "bound the log: max-size=`BYTES`, max-file=NUMBER (default the node's instance-log-size and -files)")
}

func (l *logFlags) apply(s *api.InstanceSpec) error {
	switch l.driver {
	case "", "local", "json-file": // Docker's names of logs in files
	default:
		return api.Errorf(api.CodeNotSupported, "--log-driver %s: logs are kept on the node", l.driver).
			WithHint("leave it out; `virga logs -f --json` and the files, which are in the CRI format, feed other systems")
	}
	for _, o := range l.options {
		key, value, _ := strings.Cut(o, "=")
		switch key {
		case "max-size":
			n, err := api.ParseSize("spec.log.size", value)
			if err != nil {
				return err
			}
			s.Log.Size = n
		case "max-file":
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 {
				return api.Invalid("spec.log.files", "--log-opt %s: want a number of files", o)
			}
			s.Log.Files = n
		case "mode", "compress": // how Docker writes it, not how much
		default:
			return api.Invalid("spec.log", "--log-opt %s is not known", o).WithHint("use max-size=BYTES and max-file=NUMBER")
		}
	}
	return nil
}
