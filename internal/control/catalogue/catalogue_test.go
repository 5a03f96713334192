package catalogue

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/virga-cloud/virga/api"
)

func TestBuiltInTypesAreValid(t *testing.T) {
	seen := map[string]bool{}
	for _, b := range BuiltIn() {
		if err := Validate(b); err != nil {
			t.Error(err)
		}
		if seen[b.Name] {
			t.Errorf("%s is there twice", b.Name)
		}
		seen[b.Name] = true
	}
}

func TestParse(t *testing.T) {
	tests := []struct {
		name, file, want string // want: "" for success, else what the error says
	}{
		{"good", "- {name: shared.web, family: shared, vcpus: 0.5, memory: 256m}\n- {name: big, family: dedicated, vcpus: 2, memory: 4g, pricePerHour: 0}\n", ""},
		{"empty", "", ""},
		{"unknown field", "- name: a\n- {name: b, family: shared, vcpus: 1, memory: 1g, cpu: 3}", "types.yaml:1: "},
		{"unknown field names its line", "- {name: b, family: shared, vcpus: 1, memory: 1g}\n- {name: c, family: shared, vcpus: 1, memory: 1g, cpu: 3}", "types.yaml:2: "},
		{"twice", "- {name: b, family: shared, vcpus: 1, memory: 1g}\n- {name: b, family: shared, vcpus: 1, memory: 1g}", "line 1 already"},
		{"no list", "name: b", "YAML list"},
		{"nan", "- {name: b, family: shared, vcpus: .nan, memory: 1g}", "vcpus NaN"},
		{"negative", "- {name: b, family: shared, vcpus: -1, memory: 1g}", "vcpus -1"},
		{"negative memory", "- {name: b, family: shared, vcpus: 1, memory: -1g}", "memory"},
		{"absurd memory", "- {name: b, family: shared, vcpus: 1, memory: 9999999t}", "memory"},
		{"half a core", "- {name: b, family: dedicated, vcpus: 0.5, memory: 1g}", "whole cores"},
		{"baseline of a shared type", "- {name: b, family: shared, vcpus: 1, memory: 1g, baseline: 0.2}", "burst types"},
		{"burst without baseline", "- {name: b, family: burst, vcpus: 1, memory: 1g}", "baseline 0"},
		{"burst with quota", "- {name: b, family: burst, vcpus: 1, baseline: 0.1, memory: 1g, quota: true}", "credits decide"},
		{"bad family", "- {name: b, family: gold, vcpus: 1, memory: 1g}", `family "gold"`},
		{"bad name", "- {name: 'B!', family: shared, vcpus: 1, memory: 1g}", "type name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			types, err := Parse("types.yaml", strings.NewReader(tt.file))
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
			if err != nil && types != nil {
				t.Error("types beside an error")
			}
		})
	}
}

func TestDefaultsAndFreeTypes(t *testing.T) {
	types, err := Parse("f", strings.NewReader("- {name: a, family: shared, vcpus: 0.5, memory: 1g}\n- {name: b, family: shared, vcpus: 1, memory: 1g, pricePerHour: 0}"))
	if err != nil {
		t.Fatal(err)
	}
	if types[0].Weight != 512 || types[0].PricePerHour <= 0 {
		t.Errorf("defaults: %+v", types[0])
	}
	if types[1].PricePerHour != 0 {
		t.Errorf("a price of 0 was overridden by %v", types[1].PricePerHour)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("- {name: a, family: shared, vcpus: 0.5, memory: 1g}")
	f.Add("- name: &a b\n  family: *a")
	f.Fuzz(func(t *testing.T, s string) {
		types, err := Parse("f", strings.NewReader(s))
		if err != nil {
			return
		}
		for _, x := range types {
			if err := Validate(x); err != nil {
				t.Fatalf("accepted %+v: %v", x, err)
			}
		}
	})
}

// docs/types.md has every built-in type as it is here.
func TestDocumentationIsCurrent(t *testing.T) {
	b, err := os.ReadFile("../../../docs/types.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range BuiltIn() {
		cpu := "own cores"
		switch x.Family {
		case api.FamilyBurst:
			earn := x.Baseline * x.VCPUs * 60
			cpu = fmt.Sprintf("%g %% each: earns %.4g credits an hour, up to %.4g", x.Baseline*100, earn, earn*24)
		case api.FamilyShared:
			cpu = fmt.Sprintf("weight %d", x.Weight)
		}
		if line := fmt.Sprintf("| `%s` | %g | %s | %s |\n", x.Name, x.VCPUs, cpu, api.FormatBytes(x.Memory)); !strings.Contains(string(b), line) {
			t.Errorf("docs/types.md lacks the line\n%s", line)
		}
	}
	_, example, _ := strings.Cut(string(b), "```yaml\n")
	example, _, _ = strings.Cut(example, "```")
	if types, err := Parse("types.yaml", strings.NewReader(example)); err != nil || len(types) != 3 {
		t.Errorf("the example of docs/types.md: %d types, %v", len(types), err)
	}
}
