package seccomp

import (
	"slices"

	"golang.org/x/sys/unix"
)

// code is a piece of a filter. Jumps are relative, so that pieces can be put
// behind one another.
type code []unix.SockFilter

// Offsets in seccomp_data.
const (
	dataNr   = 0
	dataArch = 4
	dataArgs = 16
)

func load(offset uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
}

func ret(action uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
}

func and(mask uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: mask}
}

func jump(op uint16, k uint32, yes, no int) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | op | unix.BPF_K, K: k, Jt: uint8(yes), Jf: uint8(no)}
}

// choose runs yes when A op k, else no.
func choose(op uint16, k uint32, yes, no code) code {
	if len(no) < 256 {
		c := code{jump(op, k, len(no), 0)}
		return append(append(c, no...), yes...)
	}
	// A conditional jump reaches 255 instructions, an unconditional one all.
	c := code{jump(op, k, 0, 1), {Code: unix.BPF_JMP | unix.BPF_JA, K: uint32(len(no))}}
	return append(append(c, no...), yes...)
}

// span is a range of numbers, from start to the next span, with the code that
// decides on them.
type span struct {
	start uint32
	leaf  code
}

// tree decides by the number in A. spans are in order and not empty; numbers
// before the first one belong to it.
func tree(spans []span) code {
	if c := compact(spans); c != nil {
		return c
	}
	mid := len(spans) / 2
	return choose(unix.BPF_JGE, spans[mid].start, tree(spans[mid:]), tree(spans[:mid]))
}

// compact is a tree that has each leaf once, behind all of its jumps, because
// loading costs time for every instruction. It is nil when a jump would be too
// far.
func compact(spans []span) code {
	if len(spans) > 128 {
		return nil
	}
	size := len(spans) - 1
	var leaves code
	at := make([]int, len(spans)) // where each span's leaf is
	for i, s := range spans {
		same := slices.IndexFunc(spans[:i], func(o span) bool { return slices.Equal(o.leaf, s.leaf) })
		if same >= 0 {
			at[i] = at[same]
			continue
		}
		at[i] = size + len(leaves)
		leaves = append(leaves, s.leaf...)
	}
	if size > 0 && size+len(leaves) > 255 {
		return nil
	}
	c := make(code, 0, size+len(leaves))
	var node func(lo, hi int) int // places the jumps for spans lo to hi, returns where they begin
	node = func(lo, hi int) int {
		if hi-lo == 1 {
			return at[lo]
		}
		here, mid := len(c), (lo+hi)/2
		c = append(c, unix.SockFilter{})
		no := node(lo, mid)
		yes := node(mid, hi)
		c[here] = jump(unix.BPF_JGE, spans[mid].start, yes-here-1, no-here-1)
		return here
	}
	node(0, len(spans))
	return append(c, leaves...)
}
