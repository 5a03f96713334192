package cli

import (
	"fmt"
	"math"
	"strconv"

	"github.com/spf13/pflag"
)

// decimal is the value of a flag that is a number. Unlike pflag's own it takes
// neither NaN nor an infinite one, which JSON cannot carry either.
type decimal struct{ value *float64 }

func decimalVar(f *pflag.FlagSet, value *float64, name string, otherwise float64, usage string) {
	*value = otherwise
	f.Var(decimal{value}, name, usage)
}

// Set implements pflag.Value.
func (d decimal) Set(s string) error {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Errorf("want a number such as 0.5")
	}
	*d.value = v
	return nil
}

// Type implements pflag.Value.
func (d decimal) Type() string { return "float" }

func (d decimal) String() string {
	if d.value == nil {
		return "0"
	}
	return strconv.FormatFloat(*d.value, 'g', -1, 64)
}
