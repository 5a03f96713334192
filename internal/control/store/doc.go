// Package store keeps what must not be lost: every object's spec, desired
// state and status, in embedded etcd or, for tests, in memory.
//
// A Table is a cache of one kind of object, complete and in memory, over a
// backend that makes changes durable. Reads come from the cache and cost no
// I/O; a write is acknowledged when the backend has it on disk, and is seen by
// readers and watchers of this process from that moment on.
package store
