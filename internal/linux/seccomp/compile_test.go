package seccomp

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/api"
)

// data is seccomp_data.
type data struct {
	nr, arch uint32
	args     [6]uint64
}

// eval runs a filter as the kernel would.
func eval(t testing.TB, f *Filter, d data) uint32 {
	t.Helper()
	mem := binary.LittleEndian.AppendUint32(nil, d.nr)
	mem = binary.LittleEndian.AppendUint32(mem, d.arch)
	mem = binary.LittleEndian.AppendUint64(mem, 0)
	for _, a := range d.args {
		mem = binary.LittleEndian.AppendUint64(mem, a)
	}
	var acc uint32
	for pc := 0; ; pc++ {
		i := f.Program[pc*8:]
		op, jt, jf, k := binary.LittleEndian.Uint16(i), int(i[2]), int(i[3]), binary.LittleEndian.Uint32(i[4:])
		cond := false
		switch op {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			acc = binary.LittleEndian.Uint32(mem[k:])
			continue
		case unix.BPF_ALU | unix.BPF_AND | unix.BPF_K:
			acc &= k
			continue
		case unix.BPF_RET | unix.BPF_K:
			return k
		case unix.BPF_JMP | unix.BPF_JA:
			pc += int(k)
			continue
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			cond = acc == k
		case unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K:
			cond = acc > k
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			cond = acc >= k
		default:
			t.Fatalf("instruction %x at %d", op, pc)
		}
		if cond {
			pc += jt
		} else {
			pc += jf
		}
	}
}

func defaults(t testing.TB, caps ...string) *specs.LinuxSeccomp {
	t.Helper()
	p, err := seccomp.GetDefaultProfile(&specs.Spec{Process: &specs.Process{
		Capabilities: &specs.LinuxCapabilities{Bounding: caps},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// model decides on a call by reading the profile's rules one after another.
func model(t testing.TB, p *specs.LinuxSeccomp, name string, args [6]uint64) uint32 {
	t.Helper()
	holds := func(a specs.LinuxSeccompArg) bool {
		v := args[a.Index]
		switch a.Op {
		case specs.OpEqualTo:
			return v == a.Value
		case specs.OpNotEqual:
			return v != a.Value
		case specs.OpGreaterThan:
			return v > a.Value
		case specs.OpGreaterEqual:
			return v >= a.Value
		case specs.OpLessThan:
			return v < a.Value
		case specs.OpLessEqual:
			return v <= a.Value
		}
		return v&a.Value == a.ValueTwo
	}
	result, found := uint32(0), false
	for _, r := range p.Syscalls {
		if !slices.Contains(r.Names, name) {
			continue
		}
		code, err := action(r.Action, r.ErrnoRet)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Args) == 0 {
			if !found {
				result, found = code, true
			}
			continue
		}
		if !slices.ContainsFunc(r.Args, func(a specs.LinuxSeccompArg) bool { return !holds(a) }) {
			return code
		}
	}
	if found {
		return result
	}
	code, err := action(p.DefaultAction, p.DefaultErrnoRet)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func TestDefaultProfileDecidesAsItsRulesSay(t *testing.T) {
	for _, goarch := range []string{"amd64", "arm64"} {
		for _, caps := range [][]string{nil, {"CAP_SYS_ADMIN", "CAP_SYS_PTRACE"}} {
			p := defaults(t, caps...)
			p.Architectures = []specs.Arch{specs.ArchX86_64, specs.ArchX86, specs.ArchX32, specs.ArchAARCH64, specs.ArchARM}
			f, err := Compile(p, goarch)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s with %v: %d instructions", goarch, caps, f.Len)
			all, err := machines(goarch)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range all {
				compare(t, p, f, m)
			}
		}
	}
}

func compare(t *testing.T, p *specs.LinuxSeccomp, f *Filter, m machine) {
	numbers, err := m.numbers()
	if err != nil {
		t.Fatal(err)
	}
	named := uint32(0) // the last one that the profile names
	for _, r := range p.Syscalls {
		for _, name := range r.Names {
			named = max(named, numbers[name])
		}
	}
	for name, nr := range numbers {
		if nr > named {
			continue
		}
		for _, first := range []uint64{0, 8, 38, 39, 40, 41, 0xffffffff, 0x7e020000, 1 << 32, 38 << 32} {
			args := [6]uint64{first}
			got := eval(t, f, data{nr, m.audit, args})
			want := model(t, p, name, args)
			if m.x32 {
				n := nr
				if own, ok := x32Only[name]; ok {
					n = own
				}
				if x32 := eval(t, f, data{n | x32Bit, m.audit, args}); x32 != want {
					t.Errorf("x32 %s(%#x): %#x, want %#x", name, first, x32, want)
				}
			}
			if got != want {
				t.Errorf("%s %s(%#x): %#x, want %#x", m.arch, name, first, got, want)
			}
		}
	}
	if got := eval(t, f, data{nr: named + 1, arch: m.audit}); got != unix.SECCOMP_RET_ERRNO|uint32(unix.ENOSYS) {
		t.Errorf("%s: a number newer than the profile gives %#x", m.arch, got)
	}
}

func TestComparisons(t *testing.T) {
	const big = 1<<32 | 5
	values := []uint64{0, 4, 5, 6, 1 << 32, big - 1, big, big + 1, 2<<32 | 5, ^uint64(0)}
	for _, op := range []specs.LinuxSeccompOperator{
		specs.OpEqualTo, specs.OpNotEqual, specs.OpGreaterThan, specs.OpGreaterEqual,
		specs.OpLessThan, specs.OpLessEqual, specs.OpMaskedEqual,
	} {
		for _, v := range values {
			p := &specs.LinuxSeccomp{
				DefaultAction: specs.ActKillProcess,
				Architectures: []specs.Arch{specs.ArchX86_64},
				Syscalls: []specs.LinuxSyscall{{
					Names: []string{"read"}, Action: specs.ActAllow,
					Args: []specs.LinuxSeccompArg{
						{Index: 0, Value: v, ValueTwo: v & big, Op: op},
						{Index: 1, Value: 7, Op: specs.OpEqualTo},
					},
				}},
			}
			f, err := Compile(p, "amd64")
			if err != nil {
				t.Fatal(err)
			}
			for _, first := range values {
				for _, second := range []uint64{7, 8} {
					args := [6]uint64{first, second}
					got := eval(t, f, data{0, unix.AUDIT_ARCH_X86_64, args})
					if want := model(t, p, "read", args); got != want {
						t.Errorf("%s %#x with %#x, %d: %#x, want %#x", op, v, first, second, got, want)
					}
				}
			}
		}
	}
}

func TestABIsLeftOutAreKilled(t *testing.T) {
	p := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow}
	f, err := Compile(p, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	for d, want := range map[data]uint32{
		{nr: 1, arch: unix.AUDIT_ARCH_X86_64}:          unix.SECCOMP_RET_ALLOW,
		{nr: 1 | x32Bit, arch: unix.AUDIT_ARCH_X86_64}: unix.SECCOMP_RET_KILL_PROCESS,
		{nr: 1, arch: unix.AUDIT_ARCH_I386}:            unix.SECCOMP_RET_KILL_PROCESS,
		{nr: 1, arch: unix.AUDIT_ARCH_AARCH64}:         unix.SECCOMP_RET_KILL_PROCESS,
	} {
		if got := eval(t, f, d); got != want {
			t.Errorf("%+v: %#x, want %#x", d, got, want)
		}
	}
}

func TestActions(t *testing.T) {
	seven := uint(7)
	for a, want := range map[specs.LinuxSeccompAction]uint32{
		specs.ActAllow: unix.SECCOMP_RET_ALLOW, specs.ActLog: unix.SECCOMP_RET_LOG,
		specs.ActErrno: unix.SECCOMP_RET_ERRNO | 7, specs.ActTrace: unix.SECCOMP_RET_TRACE | 7,
		specs.ActKill: unix.SECCOMP_RET_KILL_THREAD, specs.ActTrap: unix.SECCOMP_RET_TRAP,
	} {
		if got, err := action(a, &seven); err != nil || got != want {
			t.Errorf("%s: %#x, %v", a, got, err)
		}
	}
}

func TestBadProfilesAreRefused(t *testing.T) {
	var c Cache
	for _, profile := range []string{
		"{", "{}", `{"defaultAction":"SCMP_ACT_WHAT"}`, `{"defaultAction":"SCMP_ACT_NOTIFY"}`,
		`{"defaultAction":"SCMP_ACT_ALLOW","flags":["X"]}`,
		`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_ERRNO","args":[{"index":9,"op":"SCMP_CMP_EQ"}]}]}`,
		`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_ERRNO","args":[{"index":0,"op":"?"}]}]}`,
	} {
		if _, err := c.Filter(profile, nil); api.CodeOf(err) != api.CodeInvalid {
			t.Errorf("%s: %v", profile, err)
		}
	}
	if f, err := c.Filter(Unconfined, nil); f != nil || err != nil {
		t.Errorf("unconfined: %v, %v", f, err)
	}
	a, _ := c.Filter("", []string{"CAP_KILL", "CAP_CHOWN"})
	if b, _ := c.Filter(Default, []string{"CAP_CHOWN", "CAP_KILL"}); a == nil || a != b {
		t.Error("the default filter is not kept")
	}
}

func FuzzProfile(f *testing.F) {
	f.Add(`{"defaultAction":"SCMP_ACT_ERRNO","archMap":[{"architecture":"SCMP_ARCH_X86_64","subArchitectures":["SCMP_ARCH_X86"]}],"syscalls":[{"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":40,"op":"SCMP_CMP_NE"},{"index":0,"value":41,"op":"SCMP_CMP_LE"}]}]}`)
	f.Fuzz(func(t *testing.T, profile string) {
		filter, err := compileProfile(profile, nil)
		if err != nil || len(filter.Program) != filter.Len*8 {
			return
		}
		for _, nr := range []uint32{0, 41, 1 << 30, ^uint32(0)} {
			eval(t, filter, data{nr: nr, arch: unix.AUDIT_ARCH_X86_64})
		}
	})
}
