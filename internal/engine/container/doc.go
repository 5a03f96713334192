// Package container is the engine of isolation by namespaces and control
// groups: virga's own container runtime.
//
// A start costs no process but the workload's. The engine prepares everything
// that can be prepared outside, as files that belong to nobody yet:
//
//	root      an overlay of the image's layers and the instance's own, shifted
//	          to the ids of its user namespace, as a detached mount
//	/dev      a small tmpfs, detached
//	mounts    clones of volumes and binds, shifted where the file system can
//	cgroup    virga/<id> in each hierarchy
//
// and compiles one program (internal/linux/confine) that the supervisor runs
// to become the workload. If any of it fails, closing the files undoes it.
//
// What survives of an instance between its lives is its writable layer, in the
// directory fs of Task.Dir. Whatever the engine knows of running ones it can
// learn again from the supervisor, the kernel and the disk, so a restarted
// daemon goes on where the one before was killed.
package container
