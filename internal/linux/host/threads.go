package host

import (
	"os"
	"path/filepath"
	"strings"
)

// ThreadsPerCore is how many hardware threads the machine's cores have, 1
// where the kernel does not say.
func ThreadsPerCore() int {
	most := 1
	files, _ := filepath.Glob("/sys/devices/system/cpu/cpu[0-9]*/topology/thread_siblings")
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		most = max(most, bits(string(b)))
	}
	return most
}

// bits counts the CPUs of one of the kernel's masks, such as 0000,00000003.
func bits(mask string) int {
	n := 0
	for _, c := range strings.TrimSpace(mask) {
		if d := strings.IndexRune("0123456789abcdef", c); d > 0 {
			for ; d > 0; d &= d - 1 {
				n++
			}
		}
	}
	return n
}
