// Package command is the command line of Compose: `virga up`, `virga down` and
// `virga compose …`. The light command executes the daemon's program with the
// first argument "compose" for it, because reading Compose files needs
// libraries that every other command would pay for at its start.
package command
