package container

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
)

// owner is the uid and gid of a file.
func owner(st fs.FileInfo) [2]uint32 {
	if st == nil {
		return [2]uint32{^uint32(0)}
	}
	s := st.Sys().(*syscall.Stat_t)
	return [2]uint32{s.Uid, s.Gid}
}

// state lists what an engine could leave behind: mounts and descriptors of
// this process, groups, processes, directories.
func (f *fixture) state() []string {
	f.t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		f.t.Fatal(err)
	}
	all := []string{fmt.Sprint(strings.Count(string(mounts), "\n"), " mounts")}
	res, err := f.Resources(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	for _, r := range res {
		all = append(all, r.Kind+" "+r.Name)
	}
	entries, err := os.ReadDir(f.Instances)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, "directory "+e.Name())
	}
	slices.Sort(all)
	return all
}
