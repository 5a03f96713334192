package probe

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/google/nftables"

	"github.com/virga-cloud/virga/internal/linux/alarm"
	"github.com/virga-cloud/virga/internal/linux/caps"
	"github.com/virga-cloud/virga/internal/linux/host"
	"github.com/virga-cloud/virga/internal/linux/mount"
	"github.com/virga-cloud/virga/internal/linux/namespace"
)

// anyIDs is a range that no instance of a node has.
const anyIDs = 0x7fff0000 - 2*namespace.IDs

func userNamespace(p *probe) (string, error) {
	pair, err := namespace.NewPair(anyIDs)
	if err != nil {
		return "", err
	}
	p.userns = pair.User
	return "", pair.Net.Close()
}

func idMap(p *probe) (string, error) {
	if p.userns == nil {
		return "", errNoUserNS
	}
	m, err := mount.Clone(p.dir, false)
	if err != nil {
		return "", err
	}
	defer m.Close()
	return "", mount.MapIDs(m, p.userns, false)
}

func overlay(p *probe) (string, error) {
	m, err := mount.New("overlay", 0, mount.Param{Key: "lowerdir", Value: filepath.Join(p.dir, "a") + ":" + filepath.Join(p.dir, "b")})
	if err != nil {
		return "", err
	}
	return "", m.Close()
}

func overlayByFile(p *probe) (string, error) {
	m, err := mount.Overlay{Layers: []string{filepath.Join(p.dir, "a"), filepath.Join(p.dir, "b")}}.MountDetached()
	if err != nil {
		return "", err
	}
	return "", m.Close()
}

// procVisible looks for mounts below /proc that hide a part of it: the kernel
// then lets no user namespace mount a new one.
func procVisible(*probe) (string, error) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 5 || !strings.HasPrefix(f[4], "/proc/") {
			continue
		}
		if strings.HasPrefix(f[4], "/proc/sys/fs/binfmt_misc") {
			continue // the directory below is empty for good
		}
		return "", fmt.Errorf("%s is mounted over", f[4])
	}
	return "", nil
}

func controllers(p *probe) (string, error) {
	var have, missing []string
	for _, c := range []string{"cpu", "cpuset", "memory", "pids", "io"} {
		if p.layout.Has(c) || c == "io" && p.layout.Has("blkio") {
			have = append(have, c)
			continue
		}
		missing = append(missing, c)
	}
	if missing != nil {
		return "", fmt.Errorf("%s; %s missing", p.layout.Mode(), strings.Join(missing, ", "))
	}
	return p.layout.Mode() + ": " + strings.Join(have, ", "), nil
}

func cgroupKill(p *probe) (string, error) {
	if p.layout.Unified == "" {
		return "", errors.New("no unified hierarchy is mounted")
	}
	// The root has no such file: a group for a moment tells.
	dir, err := os.MkdirTemp(p.layout.Unified, "virga-probe-")
	if err != nil {
		return "", err
	}
	defer unix.Rmdir(dir)
	_, err = os.Stat(filepath.Join(dir, "cgroup.kill"))
	return "", err
}

func swapAccounting(p *probe) (string, error) {
	if m := p.layout.V1["memory"]; m != "" {
		_, err := os.Stat(filepath.Join(m, "memory.memsw.limit_in_bytes"))
		return "", err
	}
	_, err := os.Stat("/proc/swaps")
	return "", err
}

func seccomp(*probe) (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/seccomp/actions_avail")
	if err == nil && !strings.Contains(string(b), "errno") {
		err = errors.New("filters cannot answer with an error")
	}
	return strings.TrimSpace(string(b)), err
}

func landlock(*probe) (string, error) {
	const version = 1 // LANDLOCK_CREATE_RULESET_VERSION
	n, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, version)
	if errno != 0 {
		return "", errno
	}
	return fmt.Sprintf("version %d", n), nil
}

func pidfd(*probe) (string, error) {
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return "", err
	}
	return "", unix.Close(fd)
}

func nftablesTables(*probe) (string, error) {
	c, err := nftables.New()
	if err != nil {
		return "", err
	}
	_, err = c.ListTables()
	return "", err
}

func oomScore(*probe) (string, error) {
	have, err := caps.Bounding()
	if err != nil {
		return "", err
	}
	if c, _ := caps.Parse("SYS_RESOURCE"); !have.Has(c) {
		return "", errors.New("the daemon lacks CAP_SYS_RESOURCE")
	}
	return "", nil
}

// promptQuotas is whether the kernel can be made to notice spent quotas between
// its ticks.
func promptQuotas(p *probe) (string, error) {
	tick, err := host.Tick()
	if err != nil {
		return "", err
	}
	if err := alarm.Supported(p.layout.Unified); err != nil {
		return "", err
	}
	return fmt.Sprintf("a tick of %v", tick), nil
}
