package seccomp

import (
	"embed"
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

//go:embed tables
var tables embed.FS

// x32Bit marks system calls of the x32 ABI, which share x86-64's architecture
// and its numbers below x32First.
const (
	x32Bit   = 0x40000000
	x32First = 512
)

// machine is one value of seccomp_data.arch.
type machine struct {
	audit uint32
	arch  specs.Arch
	table string
	x32   bool // has the x32 ABI too
}

// machines are those whose programs the node's kernel can run, native first.
func machines(goarch string) ([]machine, error) {
	switch goarch {
	case "amd64":
		return []machine{
			{unix.AUDIT_ARCH_X86_64, specs.ArchX86_64, "x86_64", true},
			{unix.AUDIT_ARCH_I386, specs.ArchX86, "x86", false},
		}, nil
	case "arm64":
		return []machine{
			{unix.AUDIT_ARCH_AARCH64, specs.ArchAARCH64, "aarch64", false},
			{unix.AUDIT_ARCH_ARM, specs.ArchARM, "arm", false},
		}, nil
	}
	return nil, fmt.Errorf("no table of system calls for %s", goarch)
}

// numbers returns the numbers of a machine's system calls by name.
func (m machine) numbers() (map[string]uint32, error) {
	text, err := tables.ReadFile("tables/" + m.table + ".txt")
	if err != nil {
		return nil, err
	}
	nr := map[string]uint32{}
	for line := range strings.Lines(string(text)) {
		name, number, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("table %s: %q", m.table, line)
		}
		nr[name] = uint32(n)
	}
	return nr, nil
}

// x32Only are the system calls that have a number of their own in x32 because
// their arguments differ.
var x32Only = map[string]uint32{
	"rt_sigaction": 512, "rt_sigreturn": 513, "ioctl": 514, "readv": 515, "writev": 516,
	"recvfrom": 517, "sendmsg": 518, "recvmsg": 519, "execve": 520, "ptrace": 521,
	"rt_sigpending": 522, "rt_sigtimedwait": 523, "rt_sigqueueinfo": 524, "sigaltstack": 525,
	"timer_create": 526, "mq_notify": 527, "kexec_load": 528, "waitid": 529,
	"set_robust_list": 530, "get_robust_list": 531, "vmsplice": 532, "move_pages": 533,
	"preadv": 534, "pwritev": 535, "rt_tgsigqueueinfo": 536, "recvmmsg": 537, "sendmmsg": 538,
	"process_vm_readv": 539, "process_vm_writev": 540, "setsockopt": 541, "getsockopt": 542,
	"io_setup": 543, "io_submit": 544, "execveat": 545, "preadv2": 546, "pwritev2": 547,
}

func native() string { return runtime.GOARCH }
