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
	Disk         string         `yaml:"disk"`
	ReadBPS      int64          `yaml:"readBps"`
	WriteBPS     int64          `yaml:"writeBps"`
	ReadOPS      int64          `yaml:"readOps"`
	WriteOPS     int64          `yaml:"writeOps"`
	PricePerHour *float64       `yaml:"pricePerHour"`
}

// File is what an operator says of types and prices.
type File struct {
	Rates api.Rates // the default ones where the file has none
	Types []api.InstanceType
}

// ratesEntry are rates as an operator writes them; what is left out has its
// default.
type ratesEntry struct {
	Currency       string  `yaml:"currency"`
	VCPUHour       float64 `yaml:"vcpuHour"`
	GiBHour        float64 `yaml:"gibHour"`
	CreditFee      float64 `yaml:"surplusVcpuHour"`
	MachineHour    float64 `yaml:"machineHour"`
	VolumeGiBMonth float64 `yaml:"volumeGibMonth"`
}

// Parse reads the file of that name: a YAML list of types, or a mapping with
// such a list under types and prices under rates. An error names the file, the
// line and what is wrong there, and nothing is returned then.
func Parse(file string, r io.Reader) (File, error) {
	f := File{Rates: DefaultRates()}
	b, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return File{}, fmt.Errorf("read %s: %w", file, err)
	}
	if len(b) > maxFile {
		return File{}, api.Errorf(api.CodeInvalid, "%s: larger than %s", file, api.FormatBytes(maxFile))
	}
	var doc yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(b)).Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return f, nil
		}
		return File{}, api.Errorf(api.CodeInvalid, "%s: want a YAML list of types: %v", file, err)
	}
	rates, list, err := parts(&doc)
	if err == nil && rates != nil {
		f.Rates, err = decodeRates(rates)
	}
	if err == nil && list != nil {
		f.Types, err = decodeTypes(list, f.Rates)
	}
	if at, ok := errors.AsType[*lineError](err); ok {
		return File{}, api.Errorf(api.CodeInvalid, "%s:%d: %v", file, at.line, at.err)
	}
	return f, err
}

// lineError is what is wrong in a line.
type lineError struct {
	line int
	err  error
}

func (e *lineError) Error() string { return fmt.Sprintf("line %d: %v", e.line, e.err) }

func (e *lineError) Unwrap() error { return e.err }

func wrong(n *yaml.Node, format string, args ...any) error {
	return &lineError{n.Line, fmt.Errorf(format, args...)}
}

// parts finds the rates and the list of types of a document; nil without.
func parts(doc *yaml.Node) (rates, list *yaml.Node, err error) {
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return nil, nil, nil
	}
	root := doc.Content[0]
	switch {
	case root.Kind == yaml.SequenceNode:
		return nil, root, nil
	case root.Kind == yaml.ScalarNode && root.Tag == "!!null":
		return nil, nil, nil
	case root.Kind != yaml.MappingNode:
		return nil, nil, wrong(root, "want a YAML list of types, or rates and types")
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		switch {
		case key.Value == "rates" && value.Kind == yaml.MappingNode && rates == nil:
			rates = value
		case key.Value == "types" && value.Kind == yaml.SequenceNode && list == nil:
			list = value
		case key.Value == "rates" || key.Value == "types":
			return nil, nil, wrong(key, "%s: want it once: rates are a mapping, types a YAML list", key.Value)
		default:
			return nil, nil, wrong(key, "there is no %q: want a YAML list of types, or rates and types", key.Value)
		}
	}
	return rates, list, nil
}

// decodeRates names the line of the rate that is wrong.
func decodeRates(n *yaml.Node) (api.Rates, error) {
	d := DefaultRates()
	e := ratesEntry{d.Currency, d.VCPUHour, d.GiBHour, d.CreditFee, d.MachineHour, d.VolumeGiBMonth}
	lines := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		lines[key.Value] = key
		one := yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: n.Content[i : i+2]}
		if err := strict(&one, &e); err != nil {
			return d, &lineError{key.Line, err}
		}
	}
	r := api.Rates{
		Currency: e.Currency, VCPUHour: e.VCPUHour, GiBHour: e.GiBHour, CreditFee: e.CreditFee,
		MachineHour: e.MachineHour, VolumeGiBMonth: e.VolumeGiBMonth,
	}
	err := ValidateRates(r)
	if e, ok := errors.AsType[*api.Error](err); ok {
		at := n
		if l := lines[e.Field]; l != nil {
			at = l
		}
		return d, &lineError{at.Line, e}
	}
	return r, err
}

func decodeTypes(list *yaml.Node, rates api.Rates) ([]api.InstanceType, error) {
	types := make([]api.InstanceType, 0, len(list.Content))
	seen := map[string]int{}
	for _, n := range list.Content {
		t, err := decode(n, rates)
		if err != nil {
			return nil, &lineError{n.Line, err}
		}
		if first, ok := seen[t.Name]; ok {
			return nil, wrong(n, "type %s is defined in line %d already", t.Name, first)
		}
		seen[t.Name] = n.Line
		types = append(types, t)
	}
	return types, nil
}

// strict decodes a node into v and refuses fields that v has not: only a
// decoder, not a node, can.
func strict(n *yaml.Node, v any) error {
	b, err := yaml.Marshal(n)
	if err != nil {
		return err
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	return d.Decode(v)
}

func decode(n *yaml.Node, rates api.Rates) (api.InstanceType, error) {
	var none api.InstanceType
	var e entry
	if err := strict(n, &e); err != nil {
		return none, err
	}
	memory, err := api.ParseBytes(e.Memory)
	if err != nil {
		return none, fmt.Errorf("memory: %w", err)
	}
	disk, err := int64(0), error(nil)
	if e.Disk != "" {
		if disk, err = api.ParseBytes(e.Disk); err != nil {
			return none, fmt.Errorf("disk: %w", err)
		}
	}
	t := api.InstanceType{
		Disk: disk,
		Name: e.Name, Family: e.Family, VCPUs: e.VCPUs, Memory: memory,
		Baseline: e.Baseline, CreditMode: e.CreditMode, Weight: e.Weight, Quota: e.Quota, NetworkBPS: e.NetworkBPS,
		BlockIO: api.BlockIO{ReadBPS: e.ReadBPS, WriteBPS: e.WriteBPS, ReadOPS: e.ReadOPS, WriteOPS: e.WriteOPS},
	}
	t = WithDefaults(t, rates)
	if e.PricePerHour != nil {
		t.PricePerHour = *e.PricePerHour
	}
	return t, Validate(t)
}

// WithDefaults fills what a type leaves open: the weight of a shared type, the
// credit mode of a burst type, and a price by the rates.
func WithDefaults(t api.InstanceType, rates api.Rates) api.InstanceType {
	switch t.Family {
	case api.FamilyShared:
		if t.Weight == 0 {
			t.Weight = max(int64(t.VCPUs*1024), 2)
		}
	case api.FamilyBurst:
		if t.CreditMode == "" {
			t.CreditMode = api.CreditStandard
		}
	}
	if t.PricePerHour == 0 {
		t.PricePerHour = priceOf(rates, t)
	}
	return t
}
