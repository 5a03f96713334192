package cgroup

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Turn is for how long a group with a quota of that many vCPUs may run in each
// of its periods, on all CPUs together.
func Turn(vcpus float64) (turn, of time.Duration) {
	q, p := quota(vcpus)
	return time.Duration(q) * time.Microsecond, time.Duration(p) * time.Microsecond
}

// maxThreads is how many threads of a group are looked at by Busy.
const maxThreads = 128

// Busy lists the CPUs on which threads of the group run, or would if they were
// let, in order. Of a group with very many threads it looks at the first ones.
func (g *Group) Busy() ([]int, error) {
	file := "tasks"
	if g.v1("cpu") == "" {
		file = "cgroup.threads"
	}
	s, err := read(g.Dir("cpu"), file)
	if err != nil {
		return nil, ignoreGone(err)
	}
	var cpus []int
	n := 0
	for tid := range strings.FieldsSeq(s) {
		if n++; n > maxThreads {
			break
		}
		b, err := readAll("/proc/" + tid + "/stat")
		if err != nil {
			continue // it has ended
		}
		if cpu, ok := runsOn(b); ok && !slices.Contains(cpus, cpu) {
			cpus = append(cpus, cpu)
		}
	}
	slices.Sort(cpus)
	return cpus, nil
}

// runsOn reads a line of /proc/TID/stat: the CPU of a thread that is runnable.
func runsOn(stat []byte) (int, bool) {
	// tid (any name) state … and the CPU is the 37th after the state.
	i := bytes.LastIndexByte(stat, ')')
	if i < 0 {
		return 0, false
	}
	f := bytes.Fields(stat[i+1:])
	if len(f) < 37 || string(f[0]) != "R" {
		return 0, false
	}
	cpu, err := strconv.Atoi(string(f[36]))
	return cpu, err == nil && cpu >= 0
}
