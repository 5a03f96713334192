package main

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"time"
)

// hello tells what the sandbox looks like from within.
func hello([]string) error {
	fmt.Printf("Hello from virga!\n\nThis instance runs. Seen from within:\n")
	fact("host name", hostname())
	fact("process", fmt.Sprintf("%d, user %d:%d", os.Getpid(), os.Getuid(), os.Getgid()))
	fact("user ids", idMap())
	fact("kernel", firstLine("/proc/sys/kernel/osrelease")+" "+runtime.GOARCH)
	fact("processors", fmt.Sprint(runtime.NumCPU()))
	fact("addresses", strings.Join(addresses(), ", "))
	fact("capabilities", statusField("CapEff"))
	fact("seccomp", statusField("Seccomp"))
	fact("time", time.Now().UTC().Format(time.RFC3339))
	fmt.Printf("\nTry next:\n  virga run -d -p 8080:8080 virga/hello serve\n  curl http://localhost:8080\n")
	return nil
}

func fact(name, value string) {
	if value != "" {
		fmt.Printf("  %-13s %s\n", name, value)
	}
}

func hostname() string {
	n, err := os.Hostname()
	if err != nil {
		return ""
	}
	return n
}

// instance is the instance's id as far as it can be known from within.
func instance() string {
	if id := os.Getenv("VIRGA_INSTANCE"); id != "" {
		return id
	}
	return hostname()
}

// idMap says which ids of the node stand behind the ids within.
func idMap() string {
	f := strings.Fields(firstLine("/proc/self/uid_map"))
	if len(f) != 3 {
		return ""
	}
	if f[1] == "0" {
		return "the node's own"
	}
	return fmt.Sprintf("%s here is %s on the node (%s of them)", f[0], f[1], f[2])
}

func addresses() []string {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var out []string
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() {
			out = append(out, n.String())
		}
	}
	return out
}

func firstLine(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(b), "\n")
	return line
}

func statusField(name string) string {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}
