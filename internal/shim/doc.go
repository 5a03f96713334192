// Package shim is the client of virga-shim, the supervisor that is the parent
// of instances' processes: it starts them, holds their standard streams and
// exit statuses, writes their logs, and outlives the daemon. One supervisor
// serves the node (docs/architecture.md says why).
package shim
