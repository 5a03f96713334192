package compose

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/virga-cloud/virga/api"
)

// files mounts configs and secrets, read-only. One that is a file of the user's
// is that file; the contents of others are written to FilesDir under a name
// made of them, so that another content is another mount.
func (t *translation) files(s *types.ServiceConfig, spec *api.InstanceSpec) error {
	field := "services." + s.Name
	for _, c := range s.Configs {
		def := types.FileObjectConfig(t.p.Configs[c.Source])
		if err := t.file(field+".configs", "/", types.FileReferenceConfig(c), def, spec); err != nil {
			return err
		}
	}
	for _, c := range s.Secrets {
		def := types.FileObjectConfig(t.p.Secrets[c.Source])
		if err := t.file(field+".secrets", "/run/secrets/", types.FileReferenceConfig(c), def, spec); err != nil {
			return err
		}
	}
	return nil
}

func (t *translation) file(field, dir string, ref types.FileReferenceConfig, def types.FileObjectConfig, spec *api.InstanceSpec) error {
	m := api.Mount{Type: api.MountBind, Target: ref.Target, ReadOnly: true}
	if m.Target == "" {
		m.Target = ref.Source
	}
	if !strings.HasPrefix(m.Target, "/") {
		m.Target = dir + m.Target
	}
	mode := uint32(0o444)
	if ref.Mode != nil {
		mode = uint32(*ref.Mode) & 0o777
	}
	switch {
	case bool(def.External):
		return api.Errorf(api.CodeNotSupported, "%s: %s is external, and virga keeps none", field, ref.Source).
			InField(field).WithHint("give it a file, content or environment")
	case def.File != "":
		m.Source = def.File
		if ref.Mode != nil {
			t.warn(field+"."+ref.Source+".mode", "is not honoured: it is mounted as the file is")
		}
	default:
		content := def.Content
		if def.Environment != "" {
			v, ok := t.p.Environment[def.Environment]
			if !ok {
				return api.Invalid(field, "%s comes from the variable %s, which is not set", ref.Source, def.Environment)
			}
			content = v
		}
		f := File{Content: content, Mode: mode}
		f.Path = filepath.Join(t.FilesDir, name(t.p.Name), name(ref.Source)+"-"+shortHash([]byte{byte(mode >> 8), byte(mode)}, []byte(content)))
		m.Source = f.Path
		if !slices.Contains(t.plan.Files, f) {
			t.plan.Files = append(t.plan.Files, f)
		}
	}
	spec.Mounts = append(spec.Mounts, m)
	return nil
}
