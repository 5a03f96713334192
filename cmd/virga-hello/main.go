// Command virga-hello is the program of the built-in image virga/hello. It
// needs nothing around it: no shell, no libc, no files. It greets, serves HTTP
// and has a few small tools for looking at a sandbox from within.
package main

import (
	"fmt"
	"os"
	"sort"
)

// command does its work and returns the exit status.
type command struct {
	usage string
	args  int // fewest arguments
	run   func(args []string) error
}

// exit ends the program with a status of its own.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit %d", int(e)) }

var commands = map[string]command{
	"hello":   {"hello", 0, hello},
	"serve":   {"serve [ADDR]", 0, serve},
	"env":     {"env", 0, env},
	"cat":     {"cat FILE…", 0, cat},
	"echo":    {"echo TEXT…", 0, echo},
	"write":   {"write FILE TEXT…", 2, write},
	"ls":      {"ls [DIR]", 0, ls},
	"id":      {"id", 0, id},
	"sleep":   {"sleep DURATION", 1, sleep},
	"exit":    {"exit STATUS", 1, exitWith},
	"true":    {"true", 0, func([]string) error { return nil }},
	"false":   {"false", 0, func([]string) error { return exit(1) }},
	"spin":    {"spin [DURATION]", 0, spin},
	"alloc":   {"alloc MIB [DURATION]", 1, alloc},
	"resolve": {"resolve NAME", 1, resolve},
	"get":     {"get URL", 1, get},
	"lines":   {"lines COUNT [INTERVAL]", 1, lines},
}

func main() {
	args := os.Args[1:]
	if len(args) == 0 {
		args = []string{"hello"}
	}
	c, ok := commands[args[0]]
	if !ok || len(args)-1 < c.args {
		usage(args[0])
	}
	err := c.run(args[1:])
	if e, ok := err.(exit); ok {
		os.Exit(int(e))
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", args[0], err)
		os.Exit(1)
	}
}

func usage(name string) {
	if c, ok := commands[name]; ok {
		fmt.Fprintf(os.Stderr, "usage: virga-hello %s\n", c.usage)
		os.Exit(2)
	}
	fmt.Fprintf(os.Stderr, "virga-hello has no command %q; it has:\n", name)
	var all []string
	for _, c := range commands {
		all = append(all, c.usage)
	}
	sort.Strings(all)
	for _, u := range all {
		fmt.Fprintf(os.Stderr, "  %s\n", u)
	}
	os.Exit(127)
}
