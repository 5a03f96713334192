package autoconf

import (
	"encoding/binary"
	"net/netip"
)

// packet4 is the IPv4 packet with a UDP datagram.
func packet4(from, to netip.AddrPort, payload []byte) []byte {
	const ttl, udp = 64, 17
	size := headerSize4 + len(payload)
	b := make([]byte, 20, size)
	b[0], b[8], b[9] = 0x45, ttl, udp
	binary.BigEndian.PutUint16(b[2:], uint16(size))
	copy(b[12:], from.Addr().AsSlice())
	copy(b[16:], to.Addr().AsSlice())
	binary.BigEndian.PutUint16(b[10:], ^sum(0, b))

	b = binary.BigEndian.AppendUint16(b, from.Port())
	b = binary.BigEndian.AppendUint16(b, to.Port())
	b = binary.BigEndian.AppendUint16(b, uint16(size-20))
	b = append(append(b, 0, 0), payload...)
	pseudo := sum(sum(udp, b[12:20]), b[24:26])
	c := ^sum(pseudo, b[20:])
	if c == 0 {
		c = 0xffff // 0 is no checksum
	}
	binary.BigEndian.PutUint16(b[26:], c)
	return b
}

// sum adds the words of b to the ones' complement sum s.
func sum(s uint16, b []byte) uint16 {
	n := uint32(s)
	for ; len(b) > 1; b = b[2:] {
		n += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		n += uint32(b[0]) << 8
	}
	for n > 0xffff {
		n = n>>16 + n&0xffff
	}
	return uint16(n)
}
