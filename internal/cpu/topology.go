package cpu

import (
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/virga-cloud/virga/internal/cpu/pool"
)

// SysCPU is where Linux describes the CPUs of a machine.
const SysCPU = "/sys/devices/system/cpu"

// topology reads which of the online CPUs share a core, and where the cores
// are, from a file system like SysCPU. A CPU of which nothing is said is a core
// of its own.
func topology(sys fs.FS, online pool.CPUSet) ([]pool.Core, error) {
	var cores []pool.Core
	seen := map[int]bool{}
	for _, cpu := range online {
		if seen[cpu] {
			continue
		}
		threads, err := siblings(sys, cpu)
		if err != nil {
			return nil, err
		}
		threads = slices.DeleteFunc(threads, func(t int) bool { return !slices.Contains(online, t) || seen[t] })
		if !threads.Contains(cpu) {
			threads = pool.CPUSet{cpu}
		}
		for _, t := range threads {
			seen[t] = true
		}
		cores = append(cores, pool.Core{Threads: threads, NUMA: numaOf(sys, cpu)})
	}
	if len(cores) == 0 {
		return nil, fmt.Errorf("the machine has no CPU")
	}
	return cores, nil
}

// siblings are the threads of cpu's core; before Linux 5.4 the list had
// another name.
func siblings(sys fs.FS, cpu int) (pool.CPUSet, error) {
	for _, name := range []string{"core_cpus_list", "thread_siblings_list"} {
		b, err := fs.ReadFile(sys, fmt.Sprintf("cpu%d/topology/%s", cpu, name))
		if err == nil {
			return pool.ParseCPUSet(string(b))
		}
	}
	return pool.CPUSet{cpu}, nil
}

// numaOf is the memory node of a CPU, which its directory links to.
func numaOf(sys fs.FS, cpu int) int {
	entries, err := fs.ReadDir(sys, fmt.Sprintf("cpu%d", cpu))
	if err != nil {
		return 0
	}
	for _, e := range entries {
		if rest, ok := strings.CutPrefix(e.Name(), "node"); ok {
			if n, err := strconv.Atoi(rest); err == nil {
				return n
			}
		}
	}
	return 0
}
