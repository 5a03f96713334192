// Package logs writes and reads the output of instances in the log format of
// the Kubernetes container runtime interface:
//
//	2026-01-02T03:04:05.123456789Z stdout F text of a whole line
//	2026-01-02T03:04:05.123456789Z stdout P beginning of a line
//
// A log is a file and its rotated predecessors: log, log.1 (newer) … log.N
// (oldest). A file is rotated by renaming, between two records, and never
// written to after its successor has appeared at the log's own path. That is
// what lets a reader follow it without losing or doubling a record.
//
// The package imports the standard library only: the supervisor links it.
package logs
