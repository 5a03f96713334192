// Package remote opens TLS connections to a daemon on another machine. It is
// part of the daemon's program and not of the command, for which the libraries
// of TLS would be a fifth of its start: the command executes this one and talks
// through it.
//
//	virga ──socket pair──▶ virgad tunnel ──TLS──▶ virgad server --listen
package remote
