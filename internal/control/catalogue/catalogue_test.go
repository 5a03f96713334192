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
	for _, b := range BuiltIn(DefaultRates()) {
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
		{"burst with weight", "- {name: b, family: burst, vcpus: 1, baseline: 0.1, memory: 1g, weight: 5}", "credits decide"},
		{"negative limit", "- {name: b, family: shared, vcpus: 1, memory: 1g, writeOps: -5}", "writeOps -5: is negative"},
		{"part of a byte", "- {name: b, family: shared, vcpus: 1, memory: 0.5}", "part of a byte"},
		{"bad family", "- {name: b, family: gold, vcpus: 1, memory: 1g}", `family "gold"`},
		{"rates", "rates: {currency: EUR, vcpuHour: 0.02}\ntypes:\n- {name: b, family: shared, vcpus: 1, memory: 1g}", ""},
		{"rates alone", "rates:\n  machineHour: 0.2\n", ""},
		{"negative rate", "rates:\n  currency: EUR\n  vcpuHour: -0.02\n", "types.yaml:3: vcpuHour -0.02: must be"},
		{"rate that is no number", "rates:\n  gibHour: .nan\n", "types.yaml:2: gibHour NaN"},
		{"infinite rate", "rates:\n  machineHour: .inf\n", "types.yaml:2: machineHour +Inf"},
		{"absurd rate", "rates:\n\n  surplusVcpuHour: 1e9\n", "types.yaml:3: surplusVcpuHour 1e+09"},
		{"rate of a word", "rates:\n  vcpuHour: cheap\n", "types.yaml:2: "},
		{"unknown rate", "rates:\n  vcpuHour: 1\n  vcpuYear: 1\n", "types.yaml:3: "},
		{"no currency", "rates: {currency: euros}", "ISO 4217"},
		{"unknown part", "types: []\nprices: {}\n", "types.yaml:2: there is no \"prices\""},
		{"rates that are a list", "types: []\nrates: []\n", "types.yaml:2: rates: want it once"},
		{"negative price", "- {name: a, family: shared, vcpus: 1, memory: 1g}\n- {name: b, family: shared, vcpus: 1, memory: 1g, pricePerHour: -0.1}", "types.yaml:2: type b: pricePerHour -0.1"},
		{"price that is no number", "- {name: b, family: shared, vcpus: 1, memory: 1g, pricePerHour: .nan}", "pricePerHour NaN"},
		{"infinite price", "- {name: b, family: shared, vcpus: 1, memory: 1g, pricePerHour: .inf}", "pricePerHour +Inf"},
		{"absurd price", "- {name: b, family: shared, vcpus: 1, memory: 1g, pricePerHour: 1e12}", "pricePerHour 1e+12: must be a number from 0 to 1000000"},
		{"bad name", "- {name: 'B!', family: shared, vcpus: 1, memory: 1g}", "type name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := Parse("types.yaml", strings.NewReader(tt.file))
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
			if err != nil && f.Types != nil {
				t.Error("types beside an error")
			}
		})
	}
}

func TestDefaultsAndFreeTypes(t *testing.T) {
	f, err := Parse("f", strings.NewReader("- {name: a, family: shared, vcpus: 0.5, memory: 1g}\n- {name: b, family: shared, vcpus: 1, memory: 1g, pricePerHour: 0}"))
	if err != nil {
		t.Fatal(err)
	}
	types := f.Types
	if types[0].Weight != 512 || types[0].PricePerHour <= 0 {
		t.Errorf("defaults: %+v", types[0])
	}
	if types[1].PricePerHour != 0 {
		t.Errorf("a price of 0 was overridden by %v", types[1].PricePerHour)
	}
}

// Types that say no price of their own follow the operator's rates, built-in
// ones too.
func TestTypesFollowTheRates(t *testing.T) {
	f, err := Parse("f", strings.NewReader("rates: {currency: EUR, vcpuHour: 1, gibHour: 2}\ntypes: [{name: a, family: dedicated, vcpus: 2, memory: 1g}]"))
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Types[0].PricePerHour; got != 2*1.5+2 {
		t.Errorf("the file's type costs %v", got)
	}
	if f.Rates.CreditFee != DefaultRates().CreditFee {
		t.Errorf("a rate that was left out: %v", f.Rates.CreditFee)
	}
	for _, b := range BuiltIn(f.Rates) {
		if b.Name == "burst.nano" && b.PricePerHour != .1+1 {
			t.Errorf("%s costs %v", b.Name, b.PricePerHour)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("- {name: a, family: shared, vcpus: 0.5, memory: 1g}")
	f.Add("rates: {vcpuHour: 1}\ntypes: [{name: a, family: shared, vcpus: 1, memory: 1g}]")
	f.Add("- name: &a b\n  family: *a")
	f.Fuzz(func(t *testing.T, s string) {
		file, err := Parse("f", strings.NewReader(s))
		if err != nil {
			return
		}
		if err := ValidateRates(file.Rates); err != nil {
			t.Fatal(err)
		}
		for _, x := range file.Types {
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
	for _, x := range BuiltIn(DefaultRates()) {
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
	if f, err := Parse("types.yaml", strings.NewReader(example)); err != nil || len(f.Types) != 3 {
		t.Errorf("the example of docs/types.md: %d types, %v", len(f.Types), err)
	}
}
