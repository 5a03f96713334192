package catalogue

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"

	"github.com/virga-cloud/virga/api"
)

// maxFile bounds a file of types.
const maxFile = 1 << 20

// entry is a type as an operator writes it.
type entry struct {
	Name         string         `yaml:"name"`
	Family       api.Family     `yaml:"family"`
	VCPUs        float64        `yaml:"vcpus"`
	Memory       string         `yaml:"memory"`
	Baseline     float64        `yaml:"baseline"`
	CreditMode   api.CreditMode `yaml:"creditMode"`
	Weight       int64          `yaml:"weight"`
	Quota        bool           `yaml:"quota"`
	NetworkBPS   int64          `yaml:"networkBps"`
	ReadBPS      int64          `yaml:"readBps"`
	WriteBPS     int64          `yaml:"writeBps"`
	ReadOPS      int64          `yaml:"readOps"`
	WriteOPS     int64          `yaml:"writeOps"`
	PricePerHour *float64       `yaml:"pricePerHour"`
}

// Parse reads a YAML list of types from the file of that name. An error names
// the file, the line and what is wrong there, and no type is returned then.
func Parse(file string, r io.Reader) ([]api.InstanceType, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	if len(b) > maxFile {
		return nil, api.Errorf(api.CodeInvalid, "%s: larger than %s", file, api.FormatBytes(maxFile))
	}
	var nodes []yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(b)).Decode(&nodes); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return nil, api.Errorf(api.CodeInvalid, "%s: want a YAML list of types: %v", file, err)
	}
	types := make([]api.InstanceType, 0, len(nodes))
	seen := map[string]int{}
	for i := range nodes {
		line := nodes[i].Line
		t, err := decode(&nodes[i])
		if err != nil {
			return nil, api.Errorf(api.CodeInvalid, "%s:%d: %v", file, line, err)
		}
		if first, ok := seen[t.Name]; ok {
			return nil, api.Errorf(api.CodeInvalid, "%s:%d: type %s is defined in line %d already", file, line, t.Name, first)
		}
		seen[t.Name] = line
		types = append(types, t)
	}
	return types, nil
}

func decode(n *yaml.Node) (api.InstanceType, error) {
	var none api.InstanceType
	// Only a decoder, not a node, can refuse unknown fields.
	b, err := yaml.Marshal(n)
	if err != nil {
		return none, err
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	var e entry
	if err := d.Decode(&e); err != nil {
		return none, err
	}
	memory, err := api.ParseBytes(e.Memory)
	if err != nil {
		return none, fmt.Errorf("memory: %w", err)
	}
	t := api.InstanceType{
		Name: e.Name, Family: e.Family, VCPUs: e.VCPUs, Memory: memory,
		Baseline: e.Baseline, CreditMode: e.CreditMode, Weight: e.Weight, Quota: e.Quota, NetworkBPS: e.NetworkBPS,
		BlockIO: api.BlockIO{ReadBPS: e.ReadBPS, WriteBPS: e.WriteBPS, ReadOPS: e.ReadOPS, WriteOPS: e.WriteOPS},
	}
	t = WithDefaults(t)
	if e.PricePerHour != nil {
		t.PricePerHour = *e.PricePerHour
	}
	return t, Validate(t)
}

// WithDefaults fills what a type leaves open: the weight of a shared type, the
// credit mode of a burst type, and a price by the default rates.
func WithDefaults(t api.InstanceType) api.InstanceType {
	promised := t.VCPUs
	switch t.Family {
	case api.FamilyShared:
		if t.Weight == 0 {
			t.Weight = max(int64(t.VCPUs*1024), 2)
		}
	case api.FamilyBurst:
		if t.CreditMode == "" {
			t.CreditMode = api.CreditStandard
		}
		promised *= t.Baseline
	case api.FamilyDedicated:
		promised *= 1.5
	}
	if t.PricePerHour == 0 {
		t.PricePerHour = price(promised, t.Memory)
	}
	return t
}
