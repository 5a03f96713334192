package launch

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A frame is a program made ready to run: one block of words without Go
// pointers that the child reads and writes while the parent's thread is
// suspended. Offsets in words; spawn_<arch>.s knows the ones marked *.
const (
	frameErrno  = 0  // * errno of the step that failed, 0 for none
	frameFailed = 1  // * address of that step
	frameForked = 2  //   pid of the second child, written by the kernel
	framePidfd  = 3  //   pidfd of the first child, written by the kernel
	frameNull   = 4  //   where results nobody wants go
	frameMask   = 5  //   the empty signal mask
	frameFirst  = 6  // * clone_args of the first child, 11 words
	frameSecond = 17 // * clone_args of the second child, 11 words
	frameRegs   = 28 //   registers
	frameOps    = frameRegs + Registers
)

// An op is a step with addresses only: each argument is the address of a word
// that holds it. Offsets in words.
const (
	opNr     = 0  // *
	opArgs   = 1  // * addresses of 6 words
	opSave   = 7  // * address of the word that takes the result
	opIgnore = 8  // * 3 errnos
	opImm    = 11 //   the words of immediate arguments
	opWords  = 17 // *
)

// opFork is the number that stands for Fork in an op.
const opFork = -1

type frame struct {
	words []uint64
	base  uintptr
	steps []int // index of the step that each op came from
}

// newFrame lays p out. The block is on the heap, which does not move, and lives
// as long as the frame.
func newFrame(p *Program, files []int) *frame {
	ops := len(p.Steps) + 2 // restoring the signal mask, and an end
	data := frameOps + ops*opWords
	f := &frame{words: make([]uint64, data+(len(p.Data)+7)/8+1), steps: make([]int, 0, ops)}
	f.base = uintptr(unsafe.Pointer(unsafe.SliceData(f.words)))
	mem := unsafe.Slice((*byte)(unsafe.Pointer(&f.words[data])), len(p.Data)+1)
	copy(mem, p.Data)
	dataAt := uint64(f.addr(data))
	for _, r := range p.Relocs {
		le.PutUint64(mem[r:], le.Uint64(p.Data[r:])+dataAt)
	}

	f.cloneArgs(frameFirst, unix.CLONE_PIDFD, uint64(unix.SIGCHLD))
	unmasked := false
	for i := range p.Steps {
		s := &p.Steps[i]
		if !unmasked && (s.Nr == unix.SYS_EXECVE || s.Nr == unix.SYS_EXECVEAT) {
			unmasked = true
			f.unmask(i)
		}
		f.step(i, s, files, dataAt)
	}
	f.op(len(p.Steps), unix.SYS_EXIT_GROUP)
	return f
}

func (f *frame) addr(word int) uintptr { return f.base + uintptr(word)*8 }

// cloneArgs fills clone_args: flags, pidfd, child_tid, parent_tid, exit_signal.
// Handlers of signals are cleared because the child must never run the
// parent's; no stack is given because the child uses none.
func (f *frame) cloneArgs(at int, flags, exit uint64) {
	f.words[at] = flags | unix.CLONE_VM | unix.CLONE_VFORK | unix.CLONE_CLEAR_SIGHAND
	f.words[at+1] = uint64(f.addr(framePidfd))
	f.words[at+3] = uint64(f.addr(frameForked))
	f.words[at+4] = exit
}

// op begins the next op with immediate arguments and returns its offset.
func (f *frame) op(step int, nr uint64, args ...uint64) int {
	at := frameOps + len(f.steps)*opWords
	f.steps = append(f.steps, step)
	f.words[at+opNr] = nr
	for i := range 6 {
		f.words[at+opArgs+i] = uint64(f.addr(at + opImm + i))
	}
	copy(f.words[at+opImm:], args)
	f.words[at+opSave] = uint64(f.addr(frameNull))
	return at
}

// unmask adds the op that lets signals through again, just before an execve:
// their handlers are the default ones by then.
func (f *frame) unmask(step int) {
	f.op(step, unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uint64(f.addr(frameMask)), 0, 8)
}

func (f *frame) step(i int, s *Step, files []int, dataAt uint64) {
	if s.Nr == Fork {
		no := opFork
		f.op(i, uint64(no))
		f.cloneArgs(frameSecond, s.Args[0].Value|unix.CLONE_PARENT|unix.CLONE_PARENT_SETTID, 0)
		return
	}
	at := f.op(i, uint64(s.Nr))
	for n, a := range s.Args {
		switch a.Kind {
		case Imm:
			f.words[at+opImm+n] = a.Value
		case Ptr:
			f.words[at+opImm+n] = dataAt + a.Value
		case File:
			f.words[at+opImm+n] = uint64(files[a.Value])
		case Reg:
			f.words[at+opArgs+n] = uint64(f.addr(frameRegs + int(a.Value)))
		}
	}
	if s.Save != 0 {
		f.words[at+opSave] = uint64(f.addr(frameRegs + int(s.Save) - 1))
	}
	for n, e := range s.Ignore {
		f.words[at+opIgnore+n] = uint64(e)
	}
}

// failed returns the index of the step that failed.
func (f *frame) failed() int {
	op := (uintptr(f.words[frameFailed]) - f.addr(frameOps)) / (opWords * 8)
	return f.steps[op]
}

// spawn runs the frame in a child and returns its pid or a negated errno. The
// calling thread is suspended until the child has executed another program or
// has exited. All signals must be blocked.
func (f *frame) spawn() int {
	r := spawn(f.base, f.addr(frameOps))
	runtime.KeepAlive(f.words)
	return int(r)
}

// spawn is in spawn_<arch>.s.
func spawn(frame, ops uintptr) int64
