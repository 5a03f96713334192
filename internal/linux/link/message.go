package link

import (
	"encoding/binary"
	"iter"

	"golang.org/x/sys/unix"
)

// messages splits a datagram of the kernel into messages.
func messages(b []byte) iter.Seq2[unix.NlMsghdr, []byte] {
	return func(yield func(unix.NlMsghdr, []byte) bool) {
		for len(b) >= unix.NLMSG_HDRLEN {
			h := unix.NlMsghdr{
				Len:   binary.NativeEndian.Uint32(b),
				Type:  binary.NativeEndian.Uint16(b[4:]),
				Flags: binary.NativeEndian.Uint16(b[6:]),
				Seq:   binary.NativeEndian.Uint32(b[8:]),
			}
			if h.Len < unix.NLMSG_HDRLEN || int(h.Len) > len(b) {
				return
			}
			if !yield(h, b[unix.NLMSG_HDRLEN:h.Len]) {
				return
			}
			b = b[min(align(int(h.Len)), len(b)):]
		}
	}
}

// attributes splits the attributes of a message.
func attributes(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= unix.SizeofRtAttr {
			n := int(binary.NativeEndian.Uint16(b))
			typ := binary.NativeEndian.Uint16(b[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
			if n < unix.SizeofRtAttr || n > len(b) {
				return
			}
			if !yield(typ, b[unix.SizeofRtAttr:n]) {
				return
			}
			b = b[min(align(n), len(b)):]
		}
	}
}

func align(n int) int { return (n + 3) &^ 3 }
