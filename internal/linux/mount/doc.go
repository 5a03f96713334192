// Package mount makes mounts with the kernel's new mount API, in which a mount
// is a file descriptor until it is attached somewhere. A detached mount belongs
// to nobody's mount table: it can be given to another process, attached in
// another namespace, and vanishes when its last descriptor is closed, so a
// failed preparation leaves nothing behind.
//
// Root resolves paths inside a directory tree that may be hostile: whatever
// links the tree holds, no path leads out of it.
//
// The functions hold no state and may be called concurrently.
package mount
