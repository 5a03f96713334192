package seccomp

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Targets of the jumps inside a condition, resolved by when.
const (
	miss = -1 // the condition does not hold
	hit  = -2 // it holds
)

type step struct {
	unix.SockFilter
	yes, no int // steps to skip, miss or hit
}

// condition compares one 64-bit argument of the system call, upper half first.
func condition(a specs.LinuxSeccompArg) ([]step, error) {
	if a.Index > 5 {
		return nil, fmt.Errorf("argument %d of a system call, which has 0 to 5", a.Index)
	}
	low, high := load(dataArgs+8*uint32(a.Index)), load(dataArgs+8*uint32(a.Index)+4)
	vl, vh := uint32(a.Value), uint32(a.Value>>32)
	test := func(op uint16, k uint32, yes, no int) step { return step{jump(op, k, 0, 0), yes, no} }
	plain := func(f unix.SockFilter) step { return step{f, 0, 0} }
	switch a.Op {
	case specs.OpEqualTo:
		return []step{
			plain(high), test(unix.BPF_JEQ, vh, 0, miss),
			plain(low), test(unix.BPF_JEQ, vl, hit, miss),
		}, nil
	case specs.OpNotEqual:
		return []step{
			plain(high), test(unix.BPF_JEQ, vh, 0, hit),
			plain(low), test(unix.BPF_JEQ, vl, miss, hit),
		}, nil
	case specs.OpMaskedEqual:
		wl, wh := uint32(a.ValueTwo), uint32(a.ValueTwo>>32)
		return []step{
			plain(high), plain(and(vh)), test(unix.BPF_JEQ, wh, 0, miss),
			plain(low), plain(and(vl)), test(unix.BPF_JEQ, wl, hit, miss),
		}, nil
	}
	last, yes, no := uint16(unix.BPF_JGT), hit, miss
	switch a.Op {
	case specs.OpGreaterThan:
	case specs.OpGreaterEqual:
		last = unix.BPF_JGE
	case specs.OpLessEqual: // not greater
		yes, no = miss, hit
	case specs.OpLessThan: // not greater or equal
		last, yes, no = unix.BPF_JGE, miss, hit
	default:
		return nil, fmt.Errorf("comparison %q is unknown", a.Op)
	}
	return []step{
		plain(high), test(unix.BPF_JGT, vh, yes, 0), test(unix.BPF_JEQ, vh, 0, no),
		plain(low), test(last, vl, yes, no),
	}, nil
}

// when runs then if all conditions hold, else otherwise.
func when(args []specs.LinuxSeccompArg, then uint32, otherwise code) (code, error) {
	var all [][]step
	size := 1
	for _, a := range args {
		steps, err := condition(a)
		if err != nil {
			return nil, err
		}
		all = append(all, steps)
		size += len(steps)
	}
	c := make(code, 0, size+len(otherwise))
	for _, steps := range all {
		end := len(c) + len(steps)
		for _, s := range steps {
			target := func(to int) uint8 {
				switch to {
				case miss:
					return uint8(size - len(c) - 1)
				case hit:
					return uint8(end - len(c) - 1)
				}
				return uint8(to)
			}
			f := s.SockFilter
			if s.yes != 0 || s.no != 0 {
				f.Jt, f.Jf = target(s.yes), target(s.no)
			}
			c = append(c, f)
		}
	}
	return append(append(c, ret(then)), otherwise...), nil
}
