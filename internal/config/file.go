package config

import (
	"fmt"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/virga-cloud/virga/api"
)

// DefaultFile is read when it exists and no other is named.
const DefaultFile = "/etc/virga/virga.yaml"

// maxFile bounds the configuration file.
const maxFile = 1 << 20

// Load applies the file to c. Without a path it is DefaultFile, which need not
// exist. An error names the file, the line and what to do.
func (c *Config) Load(path string) error {
	named := path != ""
	if !named {
		path = DefaultFile
	}
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) && !named {
		return nil
	}
	if err != nil {
		return api.Errorf(api.CodeInvalid, "configuration file: %v", err).WithHint("name a file that exists with --config, or leave it out")
	}
	return c.parse(path, b)
}

func (c *Config) parse(path string, b []byte) error {
	if len(b) > maxFile {
		return api.Errorf(api.CodeInvalid, "%s: larger than %s", path, api.FormatBytes(maxFile))
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return api.Errorf(api.CodeInvalid, "%s: %s", path, strings.TrimPrefix(err.Error(), "yaml: ")).
			WithHint("the file is YAML: one `setting: value` on a line")
	}
	if len(doc.Content) == 0 {
		return nil // empty, or comments only
	}
	f := file{path: path, into: c, known: map[string]Setting{}, seen: map[string]int{}}
	for _, s := range Settings() {
		f.known[s.Name] = s
	}
	return f.mapping("", doc.Content[0])
}

// file is a configuration file being applied.
type file struct {
	path  string
	into  *Config
	known map[string]Setting
	seen  map[string]int // line of each setting
}

func (f *file) mapping(prefix string, n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return f.wrong(n, "want `setting: value` lines").WithHint("docs/operations.md has an example")
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := prefix + key.Value
		if value.Kind == yaml.MappingNode && f.isGroup(name) {
			if err := f.mapping(name+"-", value); err != nil {
				return err
			}
			continue
		}
		if err := f.apply(name, key, value); err != nil {
			return err
		}
	}
	return nil
}

// isGroup reports whether settings begin with the name, such as log.
func (f *file) isGroup(name string) bool {
	for known := range f.known {
		if strings.HasPrefix(known, name+"-") {
			return true
		}
	}
	return false
}

func (f *file) apply(name string, key, value *yaml.Node) error {
	s, ok := f.known[name]
	if !ok {
		return f.wrong(key, "there is no setting %q", name).WithHint("the settings are %s", f.names())
	}
	if line, twice := f.seen[name]; twice {
		return f.wrong(key, "%s was set in line %d already", name, line).WithHint("keep one of the two")
	}
	f.seen[name] = key.Line
	v, err := scalar(value)
	if err == nil {
		err = s.set(f.into, v)
	}
	if err != nil {
		return f.wrong(value, "%s: %v", name, err).WithHint("%s; the default is %s", s.Doc, s.Default)
	}
	return nil
}

// scalar is the text of a plain value, or of a list of them with commas.
func scalar(n *yaml.Node) (string, error) {
	switch n.Kind {
	case yaml.ScalarNode:
		return n.Value, nil
	case yaml.SequenceNode:
		var all []string
		for _, e := range n.Content {
			if e.Kind != yaml.ScalarNode {
				return "", fmt.Errorf("want a list of plain values")
			}
			all = append(all, e.Value)
		}
		return strings.Join(all, ","), nil
	}
	return "", fmt.Errorf("want a plain value")
}

func (f *file) wrong(n *yaml.Node, format string, args ...any) *api.Error {
	return api.Errorf(api.CodeInvalid, "%s:%d: "+format, append([]any{f.path, n.Line}, args...)...)
}

func (f *file) names() string {
	var names []string
	for _, s := range Settings() {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}
