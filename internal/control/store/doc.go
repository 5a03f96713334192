// Package store keeps what must not be lost: every object's spec, desired
// state and status, in embedded etcd or, for tests, in memory.
//
// A Table is a cache of one kind of object, complete and in memory, over a
// backend that makes changes durable. Reads come from the cache and cost no
// I/O; a write is acknowledged when the backend has it on disk, and is seen by
// readers and watchers of this process from that moment on. What may be
// observed again after a crash is written late (Table.Observe).
//
// The store has one writing process. Changes of one object queue on its write
// lock; the backend's conditions catch what that cannot: a taken name, and a
// commit whose answer was lost. What only one of several daemons may do is
// done under a Lease.
//
// Lock order: object.write, then Table.mu.
package store
