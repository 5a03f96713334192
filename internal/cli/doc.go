// Package cli is the virga command: one file per command, which turns flags
// into calls of api.Client and their answers into text. It knows nothing of
// how the daemon works and imports nothing of it, so that starting a command
// costs a few milliseconds.
//
// The files named parse_*.go hold pure functions that read the syntax of
// Docker's flags; spec_*.go gather them into an api.InstanceSpec; a command's
// flags are the fields of its struct.
//
// Only Main and App touch the environment. One App runs one command.
package cli
