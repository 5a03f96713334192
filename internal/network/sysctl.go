package network

import (
	"fmt"
	"os"
	"strings"

	"github.com/virga-cloud/virga/api"
)

// setSysctl writes a kernel setting of the calling thread's network namespace.
// A bridge's name has no dots, so dots are always separators.
func setSysctl(name, value string) error {
	if err := os.WriteFile(sysctlPath(name), []byte(value), 0); err != nil {
		return fmt.Errorf("set sysctl %s: %w", name, err)
	}
	return nil
}

func sysctlPath(name string) string { return "/proc/sys/" + strings.ReplaceAll(name, ".", "/") }

// checkSysctl admits only names of the network namespace.
func checkSysctl(name string) error {
	ok := strings.HasPrefix(name, "net.") && !strings.Contains(name, "/") && !strings.Contains(name, "..")
	if !ok {
		return api.Invalid("spec.sysctls", "sysctl %q is not one of the network namespace", name).
			WithHint("only names that begin with net. can be set here")
	}
	return nil
}
