package seccomp

import (
	"fmt"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// maxFilter is the longest filter that the kernel takes, in instructions.
const maxFilter = 4096

// Compile translates a profile in the form of the OCI runtime specification for
// processes on a node of the given architecture (as Go names it). Names of
// system calls that the node does not have are passed over, as are
// architectures it cannot run. Of several rules for one system call those with
// arguments are tried first, in the profile's order.
func Compile(p *specs.LinuxSeccomp, goarch string) (*Filter, error) {
	all, err := machines(goarch)
	if err != nil {
		return nil, err
	}
	fallback, err := action(p.DefaultAction, p.DefaultErrnoRet)
	if err != nil {
		return nil, err
	}
	rules, err := compileRules(p, fallback)
	if err != nil {
		return nil, err
	}
	filter := code{ret(unix.SECCOMP_RET_KILL_PROCESS)}
	for i, m := range slices.Backward(all) {
		if i != 0 && !slices.Contains(p.Architectures, m.arch) {
			continue
		}
		block, err := m.block(slices.Contains(p.Architectures, specs.ArchX32), rules, fallback)
		if err != nil {
			return nil, err
		}
		filter = choose(unix.BPF_JEQ, m.audit, block, filter)
	}
	filter = append(code{load(dataArch)}, filter...)
	if len(filter) > maxFilter {
		return nil, fmt.Errorf("the profile needs %d instructions, the kernel takes %d", len(filter), maxFilter)
	}
	f := &Filter{Len: len(filter)}
	for _, s := range p.Flags {
		switch s {
		case "SECCOMP_FILTER_FLAG_TSYNC": // the process has one thread
		case specs.LinuxSeccompFlagLog:
			f.Flags |= unix.SECCOMP_FILTER_FLAG_LOG
		case specs.LinuxSeccompFlagSpecAllow:
			f.Flags |= unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW
		default:
			return nil, fmt.Errorf("flag %q is not supported", s)
		}
	}
	for _, i := range filter {
		f.Program = append(f.Program, byte(i.Code), byte(i.Code>>8), i.Jt, i.Jf,
			byte(i.K), byte(i.K>>8), byte(i.K>>16), byte(i.K>>24))
	}
	return f, nil
}

// compileRules returns the code that decides on each system call that the
// profile names.
func compileRules(p *specs.LinuxSeccomp, fallback uint32) (map[string]code, error) {
	byName := map[string][]specs.LinuxSyscall{}
	for _, r := range p.Syscalls {
		for _, name := range r.Names {
			byName[name] = append(byName[name], alternatives(r)...)
		}
	}
	rules := map[string]code{}
	for name, list := range byName {
		c := code{ret(fallback)}
		unconditional := slices.IndexFunc(list, func(r specs.LinuxSyscall) bool { return len(r.Args) == 0 })
		if unconditional >= 0 {
			a, err := action(list[unconditional].Action, list[unconditional].ErrnoRet)
			if err != nil {
				return nil, fmt.Errorf("system call %s: %w", name, err)
			}
			c = code{ret(a)}
		}
		for _, r := range slices.Backward(list) {
			if len(r.Args) == 0 {
				continue
			}
			a, err := action(r.Action, r.ErrnoRet)
			if err == nil {
				c, err = when(r.Args, a, c)
			}
			if err != nil {
				return nil, fmt.Errorf("system call %s: %w", name, err)
			}
			if len(c) > maxFilter {
				return nil, fmt.Errorf("system call %s: too many rules", name)
			}
		}
		rules[name] = c
	}
	return rules, nil
}

// alternatives splits a rule that compares one argument twice: such
// comparisons are alternatives, others must all hold.
func alternatives(r specs.LinuxSyscall) []specs.LinuxSyscall {
	var seen [6]bool
	for _, a := range r.Args {
		if a.Index < 6 && seen[a.Index] {
			var split []specs.LinuxSyscall
			for _, a := range r.Args {
				one := r
				one.Args = []specs.LinuxSeccompArg{a}
				split = append(split, one)
			}
			return split
		}
		if a.Index < 6 {
			seen[a.Index] = true
		}
	}
	return []specs.LinuxSyscall{r}
}

// block decides on the system calls of one machine. Without x32 its calls
// kill; with it they are decided on as their namesakes.
func (m machine) block(x32 bool, rules map[string]code, fallback uint32) (code, error) {
	numbers, err := m.numbers()
	if err != nil {
		return nil, err
	}
	c := code{load(dataNr)}
	spans := layOut(0, numbers, rules, fallback)
	switch {
	case m.x32 && x32:
		c = append(c, and(^uint32(x32Bit)))
		spans = append(spans, layOut(x32First, x32Only, rules, fallback)...)
	case m.x32:
		spans = append(spans, span{x32Bit, code{ret(unix.SECCOMP_RET_KILL_PROCESS)}})
	}
	merged := spans[:1]
	for _, s := range spans[1:] {
		if !slices.Equal(s.leaf, merged[len(merged)-1].leaf) {
			merged = append(merged, s)
		}
	}
	return append(c, tree(merged)...), nil
}

// layOut gives each number from first on its code. What lies beyond the last
// one that the profile names is newer than the profile: programs that find it
// missing fall back, but give up when it is forbidden.
func layOut(first uint32, numbers map[string]uint32, rules map[string]code, fallback uint32) []span {
	byNumber := map[uint32]code{}
	for name, c := range rules {
		if n, ok := numbers[name]; ok {
			byNumber[n] = c
		}
	}
	unknown := code{ret(fallback)}
	spans := []span{{first, unknown}}
	next := first
	for _, n := range sortedKeys(byNumber) {
		if n > next {
			spans = append(spans, span{next, unknown})
		}
		spans = append(spans, span{n, byNumber[n]})
		next = n + 1
	}
	newer := unknown
	if fallback&unix.SECCOMP_RET_ACTION_FULL == unix.SECCOMP_RET_ERRNO {
		newer = code{ret(unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS))}
	}
	return append(spans, span{next, newer})
}

func sortedKeys(m map[uint32]code) []uint32 {
	keys := make([]uint32, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// action translates an action to what a filter returns.
func action(a specs.LinuxSeccompAction, errno *uint) (uint32, error) {
	data := uint32(unix.EPERM)
	if errno != nil {
		if *errno > 4095 {
			return 0, fmt.Errorf("errno %d, at most 4095", *errno)
		}
		data = uint32(*errno)
	}
	switch a {
	case specs.ActAllow:
		return unix.SECCOMP_RET_ALLOW, nil
	case specs.ActErrno:
		return unix.SECCOMP_RET_ERRNO | data, nil
	case specs.ActKill, specs.ActKillThread:
		return unix.SECCOMP_RET_KILL_THREAD, nil
	case specs.ActKillProcess:
		return unix.SECCOMP_RET_KILL_PROCESS, nil
	case specs.ActTrap:
		return unix.SECCOMP_RET_TRAP, nil
	case specs.ActTrace:
		return unix.SECCOMP_RET_TRACE | data, nil
	case specs.ActLog:
		return unix.SECCOMP_RET_LOG, nil
	case specs.ActNotify:
		return 0, fmt.Errorf("action %s is not supported: nothing listens", a)
	}
	return 0, fmt.Errorf("action %q is unknown", a)
}
