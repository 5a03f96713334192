// Package plan is what the host tells the guest to run, and the marks by which
// the guest tells the host how that went. Each mark is a line of its own on
// the second serial line:
//
//	Begin NAME      the output of a program follows
//	End NAME CODE   it ended with CODE, or -1 by a signal
//	Done            all programs have run
package plan

// Path is where the guest finds the plan, as JSON.
const Path = "/plan.json"

// Marks; the first byte cannot begin a line that a test prints.
const (
	Begin = "\x1dbegin "
	End   = "\x1dend "
	Done  = "\x1ddone"
)

// Program is one thing to run in the guest.
type Program struct {
	Name string   // what its results are called
	Dir  string   // its working directory
	Args []string // with the program itself
	Env  []string // beside the guest's own
}
