package pool

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// CPUSet is a sorted list of CPU numbers without repetition.
type CPUSet []int

// maxCPU bounds what a list may name: the kernel's largest CONFIG_NR_CPUS.
const maxCPU = 8191

// ParseCPUSet reads the kernel's list format, such as 0-3,8.
func ParseCPUSet(s string) (CPUSet, error) {
	var set CPUSet
	for part := range strings.SplitSeq(strings.TrimSpace(s), ",") {
		if part == "" {
			continue
		}
		first, last, isRange := strings.Cut(part, "-")
		lo, err := strconv.Atoi(first)
		hi := lo
		if err == nil && isRange {
			hi, err = strconv.Atoi(last)
		}
		if err != nil || lo < 0 || hi < lo || hi > maxCPU {
			return nil, fmt.Errorf("cpu list %q: want numbers and ranges, such as 0-3,8", s)
		}
		for c := lo; c <= hi; c++ {
			set = append(set, c)
		}
	}
	return set.normal(), nil
}

func (s CPUSet) normal() CPUSet {
	slices.Sort(s)
	return slices.Compact(s)
}

// String is the kernel's list format, with ranges.
func (s CPUSet) String() string {
	var b strings.Builder
	for i := 0; i < len(s); {
		j := i
		for j+1 < len(s) && s[j+1] == s[j]+1 {
			j++
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(s[i]))
		if j > i {
			b.WriteString("-" + strconv.Itoa(s[j]))
		}
		i = j + 1
	}
	return b.String()
}

// Contains reports whether cpu is in the set.
func (s CPUSet) Contains(cpu int) bool {
	_, ok := slices.BinarySearch(s, cpu)
	return ok
}

// Without is the set less the CPUs of other.
func (s CPUSet) Without(other CPUSet) CPUSet {
	var out CPUSet
	for _, c := range s {
		if !other.Contains(c) {
			out = append(out, c)
		}
	}
	return out
}
