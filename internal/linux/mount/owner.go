package mount

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// AsOwner runs f with the file system identity of the host id id, and with all
// capabilities but the one by which root writes beyond quotas and into what a
// file system keeps for it. An overlay works with the identity of who made it:
// that has to be one that the shifted layers know, or nothing could be
// written, and one that limits hold for. f must stay in its goroutine.
func AsOwner(id uint32, f func() error) error {
	runtime.LockOSThread()
	// The identity belongs to the thread. If it cannot be taken back the
	// thread stays locked and ends with its goroutine.
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var have [2]unix.CapUserData
	if err := unix.Capget(&hdr, &have[0]); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("read capabilities: %w", err)
	}
	if id != 0 {
		unix.Setfsgid(int(id))
		unix.Setfsuid(int(id))
	}
	bound := have
	bound[0].Effective &^= 1 << unix.CAP_SYS_RESOURCE
	err := unix.Capset(&hdr, &bound[0]) // a change of the uid drops some
	if err == nil {
		err = f()
	}
	if id != 0 {
		unix.Setfsuid(0)
		unix.Setfsgid(0)
	}
	if cerr := unix.Capset(&hdr, &have[0]); cerr != nil {
		return fmt.Errorf("take back capabilities: %w", cerr)
	}
	runtime.UnlockOSThread()
	return err
}
