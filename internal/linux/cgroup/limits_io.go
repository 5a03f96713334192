package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/api"
)

type blockIO = api.BlockIO

// io are the settings of block I/O. A rate of 0 takes a limit away that an
// existing group may have.
func (g *Group) io(l Limits) ([]setting, error) {
	b, what := l.BlockIO, "block I/O"
	if b == (blockIO{}) {
		what = "" // then it is no matter where it is not limited
	}
	d := g.v1("blkio")
	if l.Disk == "" && b.Weight == 0 {
		return nil, nil
	}
	if d == "" {
		return g.ioV2(b, l.Disk, what), nil
	}
	if _, err := os.Stat(d); what == "" && err != nil {
		return nil, nil
	}
	var s []setting
	if b.Weight > 0 {
		file := "blkio.weight"
		if _, err := os.Stat(filepath.Join(d, "blkio.bfq.weight")); err == nil {
			file = "blkio.bfq.weight"
		}
		s = append(s, setting{d, file, fmt.Sprint(b.Weight), "", "block I/O weight"})
	}
	for _, t := range []struct {
		file  string
		value int64
	}{
		{"blkio.throttle.read_bps_device", b.ReadBPS},
		{"blkio.throttle.write_bps_device", b.WriteBPS},
		{"blkio.throttle.read_iops_device", b.ReadOPS},
		{"blkio.throttle.write_iops_device", b.WriteOPS},
	} {
		s = append(s, setting{d, t.file, fmt.Sprintf("%s %d", l.Disk, t.value), l.Disk + " 0", what})
	}
	return s, nil
}

func (g *Group) ioV2(b blockIO, disk, what string) []setting {
	d := g.unified()
	var s []setting
	if b.Weight > 0 {
		s = append(s, setting{d, "io.weight", fmt.Sprintf("default %d", ioWeight(b.Weight)), "", "block I/O weight"})
	}
	var limits []string
	for _, t := range []struct {
		key   string
		value int64
	}{{"rbps", b.ReadBPS}, {"wbps", b.WriteBPS}, {"riops", b.ReadOPS}, {"wiops", b.WriteOPS}} {
		value := "max"
		if t.value > 0 {
			value = fmt.Sprint(t.value)
		}
		limits = append(limits, t.key+"="+value)
	}
	const none = " rbps=max wbps=max riops=max wiops=max"
	return append(s, setting{d, "io.max", disk + " " + strings.Join(limits, " "), disk + none, what})
}

// ioWeight maps 10…1000 to the 1…10000 of version 2.
func ioWeight(w uint16) int64 { return 1 + (int64(max(w, 10))-10)*9999/990 }

// DiskOf returns the block device "major:minor" that holds path: the whole
// disk, for limits are not kept for a partition. It is "" when path is not on
// a block device.
func DiskOf(path string) (string, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return "", &os.PathError{Op: "stat", Path: path, Err: err}
	}
	id := fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev))
	sys, err := filepath.EvalSymlinks(filepath.Join("/sys/dev/block", id))
	if err != nil {
		return "", nil
	}
	if _, err := os.Stat(filepath.Join(sys, "partition")); err != nil {
		return id, nil
	}
	return read(filepath.Dir(sys), "dev")
}
