package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// Execute runs the command that args call, and returns it, or the nearest to
// it, with its error. c is the root.
func (c *Command) Execute(ctx context.Context, args []string) (*Command, error) {
	c.ctx = ctx
	if len(args) > 0 && args[0] == completing {
		return c, c.complete(args[1:])
	}
	if len(args) > 0 && args[0] == "help" && c.child("help") == nil {
		called, _ := c.find(args[1:])
		return called, called.showHelp()
	}
	called, rest := c.find(args)
	return called, called.run(rest)
}

// find follows args down the tree and returns the command they call, with what
// is left of them. Flags that come before a command's name are passed on to it.
func (c *Command) find(args []string) (*Command, []string) {
	for i := 0; i < len(args) && len(c.children) > 0; i++ {
		arg := args[i]
		switch {
		case arg == "--":
			return c, args
		case strings.HasPrefix(arg, "-") && arg != "-":
			if c.takesNext(arg) {
				i++
			}
		default:
			child := c.child(arg)
			if child == nil {
				return c, args
			}
			return child.find(append(args[:i:i], args[i+1:]...))
		}
	}
	return c, args
}

// takesNext reports whether the argument behind arg, a flag before a command's
// name, is its value. A flag that is not known here may be known below: it is
// taken to have one.
func (c *Command) takesNext(arg string) bool {
	if strings.Contains(arg, "=") || arg == "-h" || arg == "--help" {
		return false
	}
	if f := c.lookup(arg); f != nil {
		return f.NoOptDefVal == ""
	}
	return len(arg) == 2 || strings.HasPrefix(arg, "--")
}

// lookup returns the flag that arg names whose value may follow it, or nil.
func (c *Command) lookup(arg string) *pflag.Flag {
	name, long := strings.CutPrefix(arg, "--")
	find := func(s *pflag.FlagSet) *pflag.Flag {
		if s == nil {
			return nil
		}
		if long {
			return s.Lookup(name)
		}
		// Of several letters in one argument only the last has its value behind it.
		for _, letter := range arg[1 : len(arg)-1] {
			if f := s.ShorthandLookup(string(letter)); f == nil || f.NoOptDefVal == "" {
				return nil // the rest of the argument is its value
			}
		}
		return s.ShorthandLookup(arg[len(arg)-1:])
	}
	if f := find(c.flags); f != nil {
		return f
	}
	for p := c; p != nil; p = p.parent {
		if f := find(p.persistent); f != nil {
			return f
		}
	}
	return nil
}

func (c *Command) run(args []string) error {
	if !c.Raw {
		help, err := c.parse(args)
		if help {
			return c.showHelp()
		}
		if err != nil {
			return c.badFlag(err)
		}
		args = c.Flags().Args()
	}
	if c.Args != nil {
		if err := c.Args(c, args); err != nil {
			return err
		}
	}
	if c.Run == nil {
		return c.showHelp()
	}
	return c.Run(c, args)
}

// parse sets the flags and reports whether help is asked for.
func (c *Command) parse(args []string) (help bool, err error) {
	f := c.withInherited()
	if err := f.Parse(args); err != nil {
		return errors.Is(err, pflag.ErrHelp), err
	}
	if help, _ := f.GetBool("help"); help {
		return true, nil
	}
	for _, names := range c.exclusive {
		var set []string
		for _, name := range names {
			if f.Changed(name) {
				set = append(set, "--"+name)
			}
		}
		if len(set) > 1 {
			return false, fmt.Errorf("%s exclude each other", strings.Join(set, " and "))
		}
	}
	return false, nil
}

// withInherited completes the command's flags by --help and those of what is
// above it.
func (c *Command) withInherited() *pflag.FlagSet {
	f := c.Flags()
	for p := c; p != nil; p = p.parent {
		if p.persistent != nil {
			f.AddFlagSet(p.persistent)
		}
	}
	if f.Lookup("help") == nil {
		short := "h"
		if f.ShorthandLookup(short) != nil {
			short = ""
		}
		f.BoolP("help", short, false, "help for "+c.Name())
	}
	return f
}

func (c *Command) badFlag(err error) error {
	for p := c; p != nil; p = p.parent {
		if p.BadFlag != nil {
			return p.BadFlag(c, err)
		}
	}
	return err
}

// showHelp is Help as a user sees it, with --help among the flags.
func (c *Command) showHelp() error {
	if !c.Raw {
		c.withInherited()
	}
	return c.Help()
}
