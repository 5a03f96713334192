package nft

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The tables of iptables before nftables are known to the kernel by other calls,
// which nothing of virga's but this question uses.
//
//	ipt_getinfo      offset  ipt_entry          offset
//	name[32]         0       ip, nfcache        0
//	valid_hooks      32      target_offset (2)  88
//	hook_entry[5]    36      next_offset (2)    90
//	underflow[5]     56      target: its size, name and revision, then a verdict at 32
//	num_entries      76
//	size             80
const (
	legacyInfo, legacyEntries         = 64, 65 // IPT_SO_GET_INFO, IPT_SO_GET_ENTRIES
	legacyInfoSize, legacyHeadSize    = 84, 40 // the second: name and size, padded
	legacyForward                     = 2      // NF_INET_FORWARD
	legacyTargetOffset, legacyVerdict = 88, 32
	legacyDrop                        = -1       // -NF_DROP-1
	legacyLargest                     = 16 << 20 // bytes of a table that are read
)

// legacyDroppers names the chains of iptables-legacy that drop what is forwarded
// unless a rule allows it. A table that nobody has made is not made by asking.
func legacyDroppers() (out []string, err error) {
	for _, f := range []struct {
		names, program string
		domain, level  int
	}{
		{"/proc/thread-self/net/ip_tables_names", "iptables-legacy", unix.AF_INET, unix.SOL_IP},
		{"/proc/thread-self/net/ip6_tables_names", "ip6tables-legacy", unix.AF_INET6, unix.SOL_IPV6},
	} {
		if !listed(f.names, "filter") {
			continue
		}
		drops, err := legacyForwardDrops(f.domain, f.level)
		if err != nil {
			return nil, fmt.Errorf("read the rules of %s: %w", f.program, err)
		}
		if drops {
			out = append(out, f.program+" filter FORWARD")
		}
	}
	return out, nil
}

// listed says whether a file has a line; one that is not there has none.
func listed(file, line string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if s.Text() == line {
			return true
		}
	}
	return false
}

func legacyForwardDrops(domain, level int) (bool, error) {
	fd, err := unix.Socket(domain, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return false, err
	}
	defer unix.Close(fd)
	info := make([]byte, legacyInfoSize)
	copy(info, "filter")
	if err := getsockopt(fd, level, legacyInfo, info); err != nil {
		return false, err
	}
	word := func(b []byte, at uint32) uint32 { return binary.NativeEndian.Uint32(b[at:]) }
	policy, size := word(info, 56+4*legacyForward), word(info, 80)
	if size > legacyLargest {
		return false, fmt.Errorf("a table of %d bytes is too large", size)
	}
	all := make([]byte, legacyHeadSize+size)
	copy(all, "filter")
	binary.NativeEndian.PutUint32(all[32:], size)
	if err := getsockopt(fd, level, legacyEntries, all); err != nil {
		return false, err
	}
	return legacyPolicyDrops(all[legacyHeadSize:], policy, domain == unix.AF_INET6), nil
}

// legacyPolicyDrops reads the verdict of the entry at an offset, which is that of
// a chain's policy.
func legacyPolicyDrops(entries []byte, at uint32, v6 bool) bool {
	target := uint32(legacyTargetOffset)
	if v6 {
		target = 140 // ip6t_ip6 is larger
	}
	if uint64(at)+uint64(target)+2 > uint64(len(entries)) {
		return false
	}
	verdict := uint64(at) + uint64(binary.NativeEndian.Uint16(entries[at+target:])) + legacyVerdict
	if verdict+4 > uint64(len(entries)) {
		return false
	}
	return int32(binary.NativeEndian.Uint32(entries[verdict:])) == legacyDrop
}

func getsockopt(fd, level, name int, b []byte) error {
	n := uint32(len(b))
	_, _, e := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name),
		uintptr(unsafe.Pointer(&b[0])), uintptr(unsafe.Pointer(&n)), 0)
	if e != 0 {
		return os.NewSyscallError("getsockopt", e)
	}
	return nil
}
