package command

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// completing is the first argument when a shell asks for words: what has been
// typed follows, the last of it unfinished. The answer is a word a line, each
// perhaps with a tab and what it means, and ":0" or ":1" on the last line.
const completing = "__complete"

// Completion tells what a shell offers beside the words it is given.
type Completion int

const (
	// Files are offered where there are no words.
	Files Completion = iota
	// WordsOnly leaves it at the words.
	WordsOnly
)

// complete writes the words that may stand for the last of typed.
func (c *Command) complete(typed []string) error {
	if len(typed) == 0 {
		typed = []string{""}
	}
	words, kind := c.offer(typed[:len(typed)-1], typed[len(typed)-1])
	var b strings.Builder
	for _, w := range words {
		name, about, _ := strings.Cut(w, "\t")
		about, _, _ = strings.Cut(about, "\n")
		b.WriteString(name)
		if about != "" {
			b.WriteString("\t" + about)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, ":%d\n", kind)
	_, err := c.out().Write([]byte(b.String()))
	return err
}

func (c *Command) offer(before []string, word string) ([]string, Completion) {
	called, rest := c.find(before)
	if called.Raw {
		return nil, Files
	}
	f := called.withInherited()
	if n := len(rest); n > 0 && len(rest[n-1]) > 1 && rest[n-1][0] == '-' && !strings.Contains(rest[n-1], "=") && !slices.Contains(rest, "--") {
		if flag := called.lookup(rest[n-1]); flag != nil && flag.NoOptDefVal == "" {
			words, kind := called.values(flag.Name, word)
			return beginning(words, word), kind
		}
	}
	if name, value, joined := strings.Cut(word, "="); joined && strings.HasPrefix(name, "--") && !slices.Contains(rest, "--") {
		values, kind := called.values(name[2:], value)
		var words []string
		for _, v := range values {
			words = append(words, name+"="+v)
		}
		return beginning(words, word), kind
	}
	// What is typed so far need not be right for something to be offered. A
	// flag put behind it tells whether one would be taken for a flag there.
	_ = f.Parse(append(slices.Clone(rest), "--help"))
	args := f.Args()
	n := len(args)
	if n == 0 || args[n-1] != "--help" {
		if strings.HasPrefix(word, "-") {
			return flagWords(f, word), WordsOnly
		}
	} else {
		args = args[:n-1]
	}
	var words []string
	kind := WordsOnly
	switch {
	case len(called.children) > 0 && len(args) == 0:
		for _, child := range called.shown() {
			words = append(words, child.Name()+"\t"+child.Short)
		}
	case len(called.Words) > 0 && len(args) == 0:
		words = called.Words
	case called.Complete != nil:
		words, kind = called.Complete(called, args, word)
	default:
		kind = Files
	}
	return beginning(words, word), kind
}

// values are the words that may be the value of a flag.
func (c *Command) values(flag, word string) ([]string, Completion) {
	if offer := c.Values[flag]; offer != nil {
		return offer(c, nil, word)
	}
	return nil, Files
}

// beginning returns those of words that begin with word.
func beginning(words []string, word string) []string {
	return slices.DeleteFunc(slices.Clone(words), func(w string) bool { return !strings.HasPrefix(w, word) })
}

func flagWords(f *pflag.FlagSet, word string) []string {
	var words []string
	f.VisitAll(func(flag *pflag.Flag) {
		if name := "--" + flag.Name; !flag.Hidden && strings.HasPrefix(name, word) {
			_, usage := pflag.UnquoteUsage(flag)
			words = append(words, name+"\t"+usage)
		}
	})
	return words
}
