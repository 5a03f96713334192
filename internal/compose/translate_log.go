package compose

import (
	"maps"
	"slices"
	"strconv"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/virga-cloud/virga/api"
)

// logging bounds the log. Docker's drivers that keep it in files are what virga
// does; nothing takes the place of the others.
func (t *translation) logging(s *types.ServiceConfig, spec *api.InstanceSpec) error {
	field := "services." + s.Name + ".logging"
	if s.Logging == nil {
		return nil
	}
	switch s.Logging.Driver {
	case "", "json-file", "local":
	default:
		t.warn(field, "is not honoured: logs are kept on the node, not by driver %q", s.Logging.Driver)
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(s.Logging.Options)) {
		at, value := field+".options."+key, s.Logging.Options[key]
		var err error
		switch key {
		case "max-size":
			spec.Log.Size, err = api.ParseSize(at, value)
		case "max-file":
			if spec.Log.Files, err = strconv.Atoi(value); err != nil || spec.Log.Files < 1 {
				err = api.Invalid(at, "%q is not a number of files", value)
			}
		case "mode", "compress": // how Docker writes it, not how much
		default:
			t.warn(at, "is not honoured")
		}
		if err != nil {
			return err
		}
	}
	return nil
}
