package cgroup

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"golang.org/x/sys/unix"
)

// devicePrograms restrict devices on version 2, which has no controller for
// them. The programs of a list of rules is loaded once.
type devicePrograms struct {
	mu     sync.Mutex
	loaded map[string]*ebpf.Program // by the text of the rules; guarded by mu
}

// restrict attaches the rules to the group in dir. The attachment ends with
// the group.
func (p *devicePrograms) restrict(dir string, rules []Device) error {
	prog, err := p.load(rules)
	if err != nil {
		return fmt.Errorf("load device program: %w", err)
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	err = link.RawAttachProgram(link.RawAttachProgramOptions{
		Target: int(d.Fd()), Program: prog, Attach: ebpf.AttachCGroupDevice, Flags: unix.BPF_F_ALLOW_MULTI,
	})
	if err != nil {
		return fmt.Errorf("attach device program to %s: %w", dir, err)
	}
	return nil
}

func (p *devicePrograms) load(rules []Device) (*ebpf.Program, error) {
	var key strings.Builder
	for _, r := range rules {
		key.WriteString(r.String() + "\n")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if prog := p.loaded[key.String()]; prog != nil {
		return prog, nil
	}
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "virga_devices", Type: ebpf.CGroupDevice, Instructions: deviceInstructions(rules), License: "Apache-2.0",
	})
	if err != nil {
		return nil, err
	}
	if p.loaded == nil {
		p.loaded = map[string]*ebpf.Program{}
	}
	p.loaded[key.String()] = prog
	return prog, nil
}

func (p *devicePrograms) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, prog := range p.loaded {
		errs = append(errs, prog.Close())
	}
	p.loaded = nil
	return errors.Join(errs...)
}

// Bits of the kernel's bpf_cgroup_dev_ctx.access_type: the type in the low
// half, the access in the high one.
const (
	devBlock, devChar           = 1, 2
	accMknod, accRead, accWrite = 1, 2, 4
)

// deviceInstructions compiles rules: the first one that covers type, access,
// major and minor allows, and what none covers is refused.
func deviceInstructions(rules []Device) asm.Instructions {
	ins := asm.Instructions{
		asm.LoadMem(asm.R2, asm.R1, 0, asm.Word), // access_type
		asm.Mov.Reg32(asm.R3, asm.R2),
		asm.And.Imm32(asm.R2, 0xffff), // type
		asm.RSh.Imm32(asm.R3, 16),     // access
		asm.LoadMem(asm.R4, asm.R1, 4, asm.Word),
		asm.LoadMem(asm.R5, asm.R1, 8, asm.Word),
	}
	for i, r := range rules {
		next := fmt.Sprintf("rule%d", i+1)
		kind := int32(devChar)
		if r.Type == 'b' {
			kind = devBlock
		}
		var denied int32 = accMknod | accRead | accWrite
		for _, c := range r.Access {
			denied &^= map[rune]int32{'m': accMknod, 'r': accRead, 'w': accWrite}[c]
		}
		start := len(ins)
		ins = append(ins, asm.JNE.Imm32(asm.R2, kind, next))
		if denied != 0 {
			ins = append(ins, asm.Mov.Reg32(asm.R6, asm.R3), asm.And.Imm32(asm.R6, denied), asm.JNE.Imm32(asm.R6, 0, next))
		}
		if r.Major >= 0 {
			ins = append(ins, asm.JNE.Imm32(asm.R4, int32(r.Major), next))
		}
		if r.Minor >= 0 {
			ins = append(ins, asm.JNE.Imm32(asm.R5, int32(r.Minor), next))
		}
		ins = append(ins, asm.Mov.Imm(asm.R0, 1), asm.Return())
		if i > 0 {
			ins[start] = ins[start].WithSymbol(fmt.Sprintf("rule%d", i))
		}
	}
	deny := asm.Mov.Imm(asm.R0, 0)
	if len(rules) > 0 {
		deny = deny.WithSymbol(fmt.Sprintf("rule%d", len(rules)))
	}
	return append(ins, deny, asm.Return())
}
