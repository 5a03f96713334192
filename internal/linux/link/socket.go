package link

import (
	"errors"

	"golang.org/x/sys/unix"
)

// FreeBind lets a socket bind to an address that no link has yet, and beside
// another program's socket for every address.
func FreeBind(fd int) error {
	return errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_FREEBIND, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
	)
}
