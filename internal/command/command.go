package command

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// Command is one command, or a noun with commands below it. A command without
// Run only shows its help.
type Command struct {
	// Use is the name, and behind it how the command is called:
	// "rm [flags] INSTANCE...". What is typed for the root may be several
	// words, up to a bracket.
	Use     string
	Aliases []string
	// Short is a line for lists, Long what help says instead of it.
	Short, Long string
	// Example is lines that are indented by two.
	Example string
	// Group is the id of the group that the parent lists it in.
	Group string
	// Hidden leaves it out of help's lists, completion and suggestions.
	Hidden bool
	// Words are what the first argument may be, for completion.
	Words []string
	// Complete offers words for the argument being typed, behind args. A
	// word may be followed by a tab and what it means.
	Complete func(c *Command, args []string, word string) ([]string, Completion)
	// Values offers words for the values of flags, by the flags' names.
	Values map[string]func(c *Command, args []string, word string) ([]string, Completion)
	// Args refuses arguments; nil takes any.
	Args func(c *Command, args []string) error
	// Run does what the command is for.
	Run func(c *Command, args []string) error
	// Raw passes everything behind the name on unparsed.
	Raw bool

	// BadFlag turns an error of parsing into the one to return; that of the
	// nearest parent counts that has one.
	BadFlag func(c *Command, err error) error
	// Out is where help goes, of the root; nil is standard output.
	Out io.Writer

	parent     *Command
	children   []*Command
	groups     []Group
	flags      *pflag.FlagSet // its own, and after parsing the inherited ones too
	persistent *pflag.FlagSet // for it and all below
	exclusive  [][]string
	ctx        context.Context
}

// Group is commands that help lists together.
type Group struct{ ID, Title string }

// Add puts commands below c.
func (c *Command) Add(children ...*Command) {
	for _, child := range children {
		child.parent = c
	}
	c.children = append(c.children, children...)
}

// AddGroup adds a group for help.
func (c *Command) AddGroup(g Group) { c.groups = append(c.groups, g) }

// Commands returns the commands below c, by name.
func (c *Command) Commands() []*Command {
	return slices.SortedFunc(slices.Values(c.children), func(a, b *Command) int { return strings.Compare(a.Name(), b.Name()) })
}

// shown are the commands below c that are not hidden, by name.
func (c *Command) shown() []*Command {
	return slices.DeleteFunc(c.Commands(), func(child *Command) bool { return child.Hidden })
}

// Flags are the command's own.
func (c *Command) Flags() *pflag.FlagSet {
	if c.flags == nil {
		c.flags = newFlags(c.Name())
	}
	return c.flags
}

// PersistentFlags are for the command and all below it.
func (c *Command) PersistentFlags() *pflag.FlagSet {
	if c.persistent == nil {
		c.persistent = newFlags(c.Name())
	}
	return c.persistent
}

func newFlags(name string) *pflag.FlagSet {
	f := pflag.NewFlagSet(name, pflag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.Usage = func() {}
	return f
}

// Exclusive refuses calls that set more than one of the flags.
func (c *Command) Exclusive(flags ...string) { c.exclusive = append(c.exclusive, flags) }

// Context is what the tree was run with.
func (c *Command) Context() context.Context { return c.Root().ctx }

// Root returns the root of the tree.
func (c *Command) Root() *Command {
	for c.parent != nil {
		c = c.parent
	}
	return c
}

// Name is the word that calls the command.
func (c *Command) Name() string {
	name, _, _ := strings.Cut(c.Use, " ")
	return name
}

// Path is the names from the root to the command.
func (c *Command) Path() string {
	if c.parent == nil {
		path, _, _ := strings.Cut(c.Use, " [")
		return path
	}
	return c.parent.Path() + " " + c.Name()
}

// UseLine tells how the command is called, from the root.
func (c *Command) UseLine() string {
	line := c.Use
	if c.parent != nil {
		line = c.parent.Path() + " " + line
	}
	if !strings.Contains(line, "[flags]") {
		line += " [flags]"
	}
	return line
}

// child returns the command below c that a word calls, or nil.
func (c *Command) child(word string) *Command {
	for _, child := range c.children {
		if child.Name() == word || slices.Contains(child.Aliases, word) {
			return child
		}
	}
	return nil
}

func (c *Command) out() io.Writer {
	if w := c.Root().Out; w != nil {
		return w
	}
	return os.Stdout
}

// Help writes what the command is for and how it is called.
func (c *Command) Help() error {
	_, err := io.WriteString(c.out(), c.help())
	return err
}

// NoArgs refuses all arguments.
func NoArgs(c *Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no argument, not %q", c.Path(), args[0])
	}
	return nil
}
