package link

import (
	"errors"

	"golang.org/x/sys/unix"
)

// FreeBind lets a socket bind to an address that no link has yet, and beside
// another program's socket for every address.
func FreeBind(fd int) error {
	err := unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_FREEBIND, 1)
	if domain, e := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN); e == nil && domain == unix.AF_INET6 {
		err = unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_FREEBIND, 1)
	}
	return errors.Join(err, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1))
}

// BindToLink lets a socket receive and send by one link only, beside other
// programs' sockets for other links.
func BindToLink(fd int, name string) error {
	return errors.Join(
		unix.BindToDevice(fd, name),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
	)
}
