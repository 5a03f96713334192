// Package command is a tree of commands with their flags: it finds the one
// that is meant, parses, checks, runs it, writes help, and completes words in
// a shell.
//
// It exists because the start of a process is most of what a short command
// costs: nothing here is made before it is needed, and nothing is imported
// that has tables to set up. Flags are those of pflag.
//
// A tree is built and run by one goroutine.
package command
