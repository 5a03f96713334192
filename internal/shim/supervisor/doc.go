// Package supervisor is what virga-shim does: it is the parent of instances'
// processes, copies their output to logs and to attached clients, and keeps
// their exit statuses until a client forgets them. It knows nothing of
// containers and imports the standard library and x/sys only.
//
//	client ──control──▶ Start ──launch.Run──▶ process ──pipes, PTY──▶ output ─▶ log
//	       ◀──Exit───── reaper ◀──SIGCHLD──────┘                        └─────▶ viewers
//
// Lock order: Supervisor.mu before process.mu. No lock is held over I/O.
package supervisor
