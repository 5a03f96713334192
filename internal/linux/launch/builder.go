package launch

import (
	"fmt"
	"strings"
	"syscall"
)

// Builder compiles a program. Its methods may not be called concurrently; the
// first mistake (a NUL in a string, too many registers) is kept and returned
// by Program.
type Builder struct {
	p    Program
	used [Registers]bool
	err  error
}

// NewBuilder returns an empty builder, whose program has the three standard
// streams as its first files.
func NewBuilder() *Builder { return &Builder{p: Program{Files: OwnFiles}} }

// Program returns what was built.
func (b *Builder) Program() (*Program, error) {
	if b.err != nil {
		return nil, b.err
	}
	if err := b.p.Validate(); err != nil {
		return nil, err
	}
	return &b.p, nil
}

// Int is an immediate argument: a number, flags, a descriptor such as
// AT_FDCWD.
func Int[T ~int | ~int32 | ~int64 | ~uint | ~uint32 | ~uint64 | ~uintptr](v T) Arg {
	return Arg{Imm, uint64(v)}
}

// String stores s with its NUL and returns its address.
func (b *Builder) String(s string) Arg {
	if strings.IndexByte(s, 0) >= 0 {
		b.fail("program: %q contains a NUL byte", s)
		return Arg{}
	}
	return b.store(append([]byte(s), 0))
}

// Bytes stores a copy of p, aligned to 8 bytes, and returns its address.
func (b *Builder) Bytes(p []byte) Arg {
	b.align()
	return b.store(p)
}

// Words stores a structure of 8-byte words, each of which is immediate or the
// address of something stored before (mount_attr, open_how, iovec,
// sock_fprog …), and returns its address.
func (b *Builder) Words(words ...Arg) Arg {
	b.align()
	at := len(b.p.Data)
	for _, w := range words {
		switch w.Kind {
		case Imm:
		case Ptr:
			b.p.Relocs = append(b.p.Relocs, uint32(len(b.p.Data)))
		default:
			b.fail("program: a word of kind %d", w.Kind)
		}
		b.p.Data = le.AppendUint64(b.p.Data, w.Value)
	}
	return Arg{Ptr, uint64(at)}
}

// Strings stores a vector of strings that ends with a null pointer (argv).
func (b *Builder) Strings(ss []string) Arg {
	words := make([]Arg, 0, len(ss)+1)
	for _, s := range ss {
		words = append(words, b.String(s))
	}
	return b.Words(append(words, Int(0))...)
}

// File is the next of the sender's files, counted from OwnFiles: the first
// call stands for the first file that is sent.
func (b *Builder) File() Arg {
	b.p.Files++
	return Arg{File, uint64(b.p.Files - 1)}
}

// StdFile is a standard stream as the supervisor made it: Stdin, Stdout or
// Stderr. With a terminal all three are its slave.
func StdFile(n int) Arg { return Arg{File, uint64(n)} }

// Syscall adds a step. Name is what an error says was being done.
func (b *Builder) Syscall(name string, nr uintptr, args ...Arg) { b.step(name, nr, args) }

// Try adds a step that may fail with one of up to three errnos.
func (b *Builder) Try(ignore []syscall.Errno, name string, nr uintptr, args ...Arg) {
	s := b.step(name, nr, args)
	if len(ignore) > len(s.Ignore) {
		b.fail("program: step %s ignores %d errnos, at most %d", name, len(ignore), len(s.Ignore))
		return
	}
	for i, e := range ignore {
		s.Ignore[i] = uint16(e)
	}
}

// Result adds a step and returns its result, such as a descriptor, for later
// steps. It takes a register, which Close or Free gives back.
func (b *Builder) Result(name string, nr uintptr, args ...Arg) Arg {
	for i := range b.used {
		if !b.used[i] {
			b.used[i] = true
			b.step(name, nr, args).Save = uint8(i + 1)
			return Arg{Reg, uint64(i)}
		}
	}
	b.fail("program: step %s: all %d registers are taken", name, Registers)
	return Arg{}
}

// Free gives back the register that Result took.
func (b *Builder) Free(r Arg) {
	if r.Kind == Reg {
		b.used[r.Value] = false
	}
}

// Fork adds the step Fork with the given namespace flags.
func (b *Builder) Fork(name string, flags uintptr) {
	b.p.Steps = append(b.p.Steps, Step{Nr: Fork, Name: clip(name), Args: [6]Arg{Int(flags)}})
}

func (b *Builder) step(name string, nr uintptr, args []Arg) *Step {
	s := Step{Nr: uint32(nr), Name: clip(name)}
	if copy(s.Args[:], args) < len(args) {
		b.fail("program: step %s has %d arguments, at most 6", name, len(args))
	}
	b.p.Steps = append(b.p.Steps, s)
	return &b.p.Steps[len(b.p.Steps)-1]
}

func (b *Builder) store(p []byte) Arg {
	at := len(b.p.Data)
	b.p.Data = append(b.p.Data, p...)
	if len(p) == 0 {
		b.p.Data = append(b.p.Data, 0) // an address must lie inside
	}
	return Arg{Ptr, uint64(at)}
}

func (b *Builder) align() {
	for len(b.p.Data)%8 != 0 {
		b.p.Data = append(b.p.Data, 0)
	}
}

func (b *Builder) fail(format string, args ...any) {
	if b.err == nil {
		b.err = fmt.Errorf(format, args...)
	}
}

// clip keeps a name within what a decoder takes.
func clip(name string) string { return name[:min(len(name), maxName)] }
