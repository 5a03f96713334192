// Package disk holds what the kernel has for space on disks: loop devices over
// files, the ext4 file systems on them, project quotas, shared extents and
// frozen file systems.
//
// Nothing here remembers anything: what exists is read from the kernel. The
// functions may be called concurrently, for different files.
package disk
