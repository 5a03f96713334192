package datagram

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Batch receives up to a number of datagrams at a time and sends answers to
// their senders. Its memory is allocated once.
type Batch struct {
	raw     syscall.RawConn
	in, out []message
	from    []unix.RawSockaddrInet6 // of in; an IPv4 address takes its beginning
	bufs    [][]byte                // of in
	replies [][]byte                // of out
	queued  int
	receive func(fd uintptr) bool
	send    func(fd uintptr) bool
	n, sent int
	err     error
}

// message is the kernel's struct mmsghdr.
type message struct {
	hdr unix.Msghdr
	n   uint32
	_   uint32
}

// New makes a batch of count datagrams of a connection that is not connected:
// up to inSize bytes come, up to outSize bytes go.
func New(c *net.UDPConn, count, inSize, outSize int) (*Batch, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("batch of datagrams: %w", err)
	}
	b := &Batch{raw: raw, in: make([]message, count), out: make([]message, count), from: make([]unix.RawSockaddrInet6, count),
		bufs: make([][]byte, count), replies: make([][]byte, count)}
	// The kernel writes through these pointers, which the slices keep alive.
	vectors := make([]unix.Iovec, 2*count)
	for i := range count {
		b.bufs[i], b.replies[i] = make([]byte, inSize), make([]byte, outSize)
		v := &vectors[2*i]
		v.Base = &b.bufs[i][0]
		v.SetLen(inSize)
		b.in[i].hdr.Iov = v
		b.in[i].hdr.SetIovlen(1)
		b.in[i].hdr.Name = (*byte)(unsafe.Pointer(&b.from[i]))
		v = &vectors[2*i+1]
		v.Base = &b.replies[i][0]
		b.out[i].hdr.Iov = v
		b.out[i].hdr.SetIovlen(1)
	}
	b.receive = func(fd uintptr) bool {
		for {
			n, _, e := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&b.in[0])), uintptr(len(b.in)), unix.MSG_DONTWAIT, 0, 0)
			switch e {
			case 0:
				b.n, b.err = int(n), nil
			case unix.EINTR:
				continue
			case unix.EAGAIN:
				return false
			default:
				b.n, b.err = 0, os.NewSyscallError("recvmmsg", e)
			}
			return true
		}
	}
	b.send = func(fd uintptr) bool {
		for b.sent < b.queued {
			n, _, e := unix.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&b.out[b.sent])), uintptr(b.queued-b.sent), unix.MSG_DONTWAIT, 0, 0)
			switch e {
			case 0:
				b.sent += int(n)
			case unix.EINTR:
			case unix.EAGAIN:
				return false
			default:
				b.err = os.NewSyscallError("sendmmsg", e)
				b.sent++ // who cannot be reached must not keep the others waiting
			}
		}
		return true
	}
	return b, nil
}

// Receive blocks until there is a datagram and returns how many came. Those
// before and their queued answers are gone.
func (b *Batch) Receive() (int, error) {
	for i := range b.in {
		b.in[i].hdr.Namelen = unix.SizeofSockaddrInet6
	}
	b.queued = 0
	if err := b.raw.Read(b.receive); err != nil {
		return 0, err
	}
	return b.n, b.err
}

// Datagram is the i-th that was received, cut to the batch's size.
func (b *Batch) Datagram(i int) []byte { return b.bufs[i][:min(int(b.in[i].n), len(b.bufs[i]))] }

// From is the sender of the i-th datagram.
func (b *Batch) From(i int) netip.AddrPort {
	s := &b.from[i]
	port := func(p *uint16) uint16 {
		raw := (*[2]byte)(unsafe.Pointer(p))
		return uint16(raw[0])<<8 | uint16(raw[1])
	}
	if s.Family == unix.AF_INET {
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(s))
		return netip.AddrPortFrom(netip.AddrFrom4(four.Addr), port(&four.Port))
	}
	return netip.AddrPortFrom(netip.AddrFrom16(s.Addr).Unmap(), port(&s.Port))
}

// Room is where the next answer is to be written, before Reply.
func (b *Batch) Room() []byte { return b.replies[b.queued] }

// Reply queues the first n bytes of Room as the answer to the i-th datagram.
func (b *Batch) Reply(i, n int) {
	m := &b.out[b.queued]
	m.hdr.Name, m.hdr.Namelen = b.in[i].hdr.Name, b.in[i].hdr.Namelen
	m.hdr.Iov.SetLen(n)
	b.queued++
}

// Send sends the queued answers and returns the last error there was; one that
// cannot be sent does not keep the others.
func (b *Batch) Send() error {
	if b.queued == 0 {
		return nil
	}
	b.sent, b.err = 0, nil
	if err := b.raw.Write(b.send); err != nil {
		return err
	}
	b.queued = 0
	return b.err
}
