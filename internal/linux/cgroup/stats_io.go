package cgroup

import (
	"os"
	"strconv"
	"strings"

	"github.com/virga-cloud/virga/api"
)

// ioStats reads the controller's counters where the group has one; elsewhere
// it sums those of the processes that live, each of which counts the ended
// ones it has waited for.
func (g *Group) ioStats(s *api.IOStats) error {
	if text, err := read(g.unified(), "io.stat"); err == nil && g.unified() != "" {
		*s = parseIOStat(text)
		return nil
	}
	pids, err := g.Pids()
	for _, pid := range pids {
		b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/io")
		if err != nil {
			continue // it has ended meanwhile
		}
		t := parseTable(strings.ReplaceAll(string(b), ":", ""))
		s.ReadBytes += t["read_bytes"]
		s.WriteBytes += t["write_bytes"]
		s.ReadOps += t["syscr"]
		s.WriteOps += t["syscw"]
	}
	return err
}

// parseIOStat sums version 2's io.stat over devices.
func parseIOStat(text string) (s api.IOStats) {
	for field := range strings.FieldsSeq(text) {
		key, value, _ := strings.Cut(field, "=")
		n, _ := strconv.ParseInt(value, 10, 64)
		switch key {
		case "rbytes":
			s.ReadBytes += n
		case "wbytes":
			s.WriteBytes += n
		case "rios":
			s.ReadOps += n
		case "wios":
			s.WriteOps += n
		}
	}
	return s
}
