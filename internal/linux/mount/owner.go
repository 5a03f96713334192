package mount

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// AsOwner runs f with the file system identity of the host id id and all
// capabilities kept. An overlay works with the identity of who made it: that
// has to be one that the shifted layers know, or nothing could be written.
func AsOwner(id uint32, f func() error) error {
	if id == 0 {
		return f()
	}
	runtime.LockOSThread()
	// The identity belongs to the thread. If it cannot be taken back the
	// thread stays locked and ends with its goroutine.
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var have [2]unix.CapUserData
	if err := unix.Capget(&hdr, &have[0]); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("read capabilities: %w", err)
	}
	unix.Setfsgid(int(id))
	unix.Setfsuid(int(id))
	err := unix.Capset(&hdr, &have[0]) // a change of the uid drops some
	if err == nil {
		err = f()
	}
	unix.Setfsuid(0)
	unix.Setfsgid(0)
	if cerr := unix.Capset(&hdr, &have[0]); cerr != nil {
		return fmt.Errorf("take back capabilities: %w", cerr)
	}
	runtime.UnlockOSThread()
	return err
}
