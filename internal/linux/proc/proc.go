// Package proc reads what the kernel tells of processes.
package proc

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
)

// FirstID returns the host id that the user namespace of pid maps its 0 to,
// and whether it is a namespace of its own.
func FirstID(pid int) (uint32, bool) {
	b, err := os.ReadFile(path(pid, "uid_map"))
	if err != nil {
		return 0, false
	}
	f := strings.Fields(string(b))
	const everything = "4294967295"
	if len(f) < 3 || f[0] == "0" && f[1] == "0" && f[2] == everything {
		return 0, false
	}
	n, err := strconv.ParseUint(f[1], 10, 32)
	return uint32(n), err == nil
}

func path(pid int, name string) string { return filepath.Join("/proc", strconv.Itoa(pid), name) }

// Read describes a process. Its user is shown as an instance sees it whose id
// 0 is ids.
func Read(pid int, ids uint32) (api.Process, error) {
	stat, err := os.ReadFile(path(pid, "stat"))
	if err != nil {
		return api.Process{}, err
	}
	p, sinceBoot, err := parseStat(string(stat))
	if err != nil {
		return p, fmt.Errorf("read process %d: %w", pid, err)
	}
	if up, err := uptime(); err == nil {
		p.Started = time.Now().Add(sinceBoot - up).Round(clockTick)
	}
	var uid uint64
	status, err := os.ReadFile(path(pid, "status"))
	if err != nil {
		return p, err
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) > 2 && f[0] == "Uid:" {
			uid, _ = strconv.ParseUint(f[2], 10, 32)
		}
	}
	p.UID = strconv.FormatUint(uid-min(uid, uint64(ids)), 10)
	if cmd, err := os.ReadFile(path(pid, "cmdline")); err == nil && len(cmd) > 0 {
		p.Command = strings.TrimSpace(strings.ReplaceAll(string(cmd), "\x00", " "))
	}
	return p, nil
}

// clockTick is what the kernel counts times in for programs, everywhere.
const clockTick = time.Second / 100

// uptime is the time since the machine was booted, as processes' starts count it.
func uptime() (time.Duration, error) {
	b, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(b), " ")
	return time.ParseDuration(first + "s")
}

// parseStat reads /proc/PID/stat, and returns beside the process how long after
// the machine it was started. The name in it may hold anything, so the fields
// are counted from its end.
func parseStat(s string) (p api.Process, sinceBoot time.Duration, err error) {
	open, end := strings.IndexByte(s, '('), strings.LastIndexByte(s, ')')
	if open < 1 || end < open {
		return p, 0, fmt.Errorf("malformed stat")
	}
	f := strings.Fields(s[end+1:])
	if len(f) < 22 {
		return p, 0, fmt.Errorf("stat has %d fields", len(f))
	}
	n := func(s string) int64 { v, _ := strconv.ParseInt(s, 10, 64); return v }
	name := s[open+1 : end]
	return api.Process{
		PID: int(n(strings.TrimSpace(s[:open]))), PPID: int(n(f[1])),
		CPU:     time.Duration(n(f[11])+n(f[12])) * clockTick,
		Memory:  n(f[21]) * int64(os.Getpagesize()),
		Command: "[" + name + "]", Name: name,
		State: f[0], Threads: int(n(f[17])), Virtual: n(f[20]),
	}, time.Duration(n(f[19])) * clockTick, nil
}
