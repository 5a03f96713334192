package network

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// listener names the process of the node that has a port bound, for an error
// message; "another program" when it cannot be found.
func listener(protocol string, port uint16) string {
	const unknown = "another program"
	for _, suffix := range []string{"", "6"} {
		inode, ok := socketInode("/proc/thread-self/net/"+protocol+suffix, port)
		if !ok {
			continue
		}
		if pid, name, ok := socketOwner(inode); ok {
			return fmt.Sprintf("%s (process %d)", name, pid)
		}
	}
	return unknown
}

// socketInode finds the socket bound to a port in a table of proc.
func socketInode(table string, port uint16) (string, bool) {
	f, err := os.Open(table)
	if err != nil {
		return "", false
	}
	defer f.Close()
	suffix := fmt.Sprintf(":%04X", port)
	for s := bufio.NewScanner(f); s.Scan(); {
		fields := strings.Fields(s.Text())
		if len(fields) > 9 && strings.HasSuffix(fields[1], suffix) && strings.HasSuffix(fields[2], ":0000") {
			return fields[9], true
		}
	}
	return "", false
}

// socketOwner finds a process that has the socket open.
func socketOwner(inode string) (int, string, bool) {
	want := "socket:[" + inode + "]"
	fds, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return 0, "", false
	}
	for _, fd := range fds {
		if l, err := os.Readlink(fd); err != nil || l != want {
			continue
		}
		dir := filepath.Dir(filepath.Dir(fd))
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		name, err := os.ReadFile(dir + "/comm")
		if err != nil {
			continue
		}
		return pid, strings.TrimSpace(string(name)), true
	}
	return 0, "", false
}
