package launch

// Program is a list of steps with the data they point to. It is inert and may
// be sent to another process with its Files.
type Program struct {
	// Data holds every string and structure the steps point to.
	Data []byte
	// Relocs are offsets in Data of 8-byte words that hold offsets in Data and
	// become addresses before the program runs (argv, iovec, sock_fprog …).
	Relocs []uint32
	Steps  []Step
	// Files counts the descriptors that accompany the program.
	Files int
}

// Step is one system call of the child.
type Step struct {
	Nr   uint32 // system call number, or Fork
	Args [6]Arg
	// Save stores the result in register Save-1; 0 discards it.
	Save uint8
	// Ignore lists errnos that count as success, result 0; 0 is no entry.
	Ignore [3]uint16
	// Name is what an error says was being done, such as "mount /proc".
	Name string
}

// Fork is the Nr of the step that splits the child: a second vfork child with
// the clone flags of Args[0], whose parent is the supervisor, goes on with the
// next step, and the first one exits. It lets steps before it enter a user
// namespace that then owns the namespaces the second one makes.
const Fork = ^uint32(0)

// Arg is an argument of a step.
type Arg struct {
	Kind  ArgKind
	Value uint64
}

// ArgKind says how Value is read.
type ArgKind uint8

const (
	Imm  ArgKind = iota // Value itself
	Ptr                 // address of Data[Value]
	File                // number of the Value-th accompanying descriptor
	Reg                 // contents of register Value
)

// Registers is the number of registers a program has.
const Registers = 64

// The first accompanying files of a program that is sent to the supervisor are
// the process's standard streams, which the supervisor makes; the sender's own
// files follow.
const (
	Stdin = iota
	Stdout
	Stderr
	OwnFiles // the first of the sender's
)
