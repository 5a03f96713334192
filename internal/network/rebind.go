package network

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// bindOver binds a stream socket of IPv4 to a port that connections of before
// may still be waiting at for their last packets, for a minute after the node's
// end has closed them. SO_REUSEADDR allows that, but would as well allow the
// next one who has it, as the socket does not listen. So it is taken off again,
// and a socket without it is in the port's bucket first: that turns off the
// short cut by which the kernel lets sockets that all have it bind unseen.
func bindOver(fd int, sa unix.Sockaddr, port uint16) error {
	first, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(first)
	// An address of the loopback link that no program has used.
	if err := unix.Bind(first, &unix.SockaddrInet4{Port: int(port), Addr: [4]byte{127, 86, 71, 1}}); err != nil {
		return os.NewSyscallError("bind", err)
	}
	return errors.Join(
		unix.SetsockoptInt(first, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.Bind(fd, sa),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 0),
	)
}
