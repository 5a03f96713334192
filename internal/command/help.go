package command

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// help is the text of Help.
func (c *Command) help() string {
	var b strings.Builder
	about := c.Long
	if about == "" {
		about = c.Short
	}
	b.WriteString(strings.TrimRight(about, " \n") + "\n\nUsage:\n")
	if c.Run != nil {
		b.WriteString("  " + c.UseLine() + "\n")
	}
	if len(c.children) > 0 {
		b.WriteString("  " + c.Path() + " [command]\n")
	}
	if len(c.Aliases) > 0 {
		b.WriteString("\nAliases:\n  " + strings.Join(append([]string{c.Name()}, c.Aliases...), ", ") + "\n")
	}
	if c.Example != "" {
		b.WriteString("\nExamples:\n" + c.Example + "\n")
	}
	c.helpCommands(&b)
	own, inherited := c.split()
	for _, f := range []struct {
		title string
		set   *pflag.FlagSet
	}{{"Flags", own}, {"Global Flags", inherited}} {
		if f.set.HasAvailableFlags() {
			b.WriteString("\n" + f.title + ":\n" + strings.TrimRight(f.set.FlagUsages(), " \n") + "\n")
		}
	}
	if len(c.children) > 0 {
		fmt.Fprintf(&b, "\nUse \"%s [command] --help\" for more information about a command.\n", c.Path())
	}
	return b.String()
}

// minPadding is the least width of the column of names.
const minPadding = 11

// helpCommands lists the commands below c by their groups.
func (c *Command) helpCommands(b *strings.Builder) {
	if len(c.children) == 0 {
		return
	}
	groups := c.groups
	if len(groups) == 0 {
		groups = []Group{{Title: "Available Commands:"}}
	}
	width := minPadding
	all := c.shown()
	for _, child := range all {
		width = max(width, len(child.Name()))
	}
	for _, g := range groups {
		b.WriteString("\n" + g.Title + "\n")
		for _, child := range all {
			if len(c.groups) == 0 || child.Group == g.ID {
				fmt.Fprintf(b, "  %-*s %s\n", width, child.Name(), child.Short)
			}
		}
	}
}

// split returns the flags that the command has itself and those that it has
// from above. One of its own hides one of that name from above.
func (c *Command) split() (own, inherited *pflag.FlagSet) {
	own, inherited = newFlags(c.Name()), newFlags(c.Name())
	for p := c.parent; p != nil; p = p.parent {
		if p.persistent != nil {
			inherited.AddFlagSet(p.persistent)
		}
	}
	for _, set := range []*pflag.FlagSet{c.flags, c.persistent} {
		if set == nil {
			continue
		}
		set.VisitAll(func(f *pflag.Flag) {
			if inherited.Lookup(f.Name) != f && own.Lookup(f.Name) == nil {
				own.AddFlag(f)
			}
		})
	}
	all := inherited
	inherited = newFlags(c.Name())
	all.VisitAll(func(f *pflag.Flag) {
		if own.Lookup(f.Name) == nil {
			inherited.AddFlag(f)
		}
	})
	return own, inherited
}
