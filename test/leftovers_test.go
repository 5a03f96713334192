package test

import (
	"bufio"
	"encoding/json"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

// lookAround lists what on the machine could be virga's: mounts, cgroups,
// links, nftables tables, network namespaces and processes. It asks the kernel
// and not virga.
func lookAround() []string {
	found := slices.Concat(mounts(), cgroups(), links(), tables(), namespaces(), processes())
	slices.Sort(found)
	return slices.Compact(found)
}

// settled returns what is there now and was not before, after having waited
// for the kernel to finish what it does in its own time, such as the removal
// of a network namespace.
func settled(before []string) []string {
	var left []string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		left = slices.DeleteFunc(lookAround(), func(s string) bool { return slices.Contains(before, s) })
		if len(left) == 0 {
			return nil
		}
	}
	return left
}

func mounts() (found []string) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return []string{"mounts: " + err.Error()}
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) > 4 && strings.Contains(fields[4], "virga") {
			found = append(found, "mount "+fields[4])
		}
	}
	return found
}

func cgroups() (found []string) {
	filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.Contains(path, "virga") {
			found = append(found, "cgroup "+path)
		}
		return nil
	})
	return found
}

func links() (found []string) {
	all, err := net.Interfaces()
	if err != nil {
		return []string{"links: " + err.Error()}
	}
	for _, l := range all {
		if strings.HasPrefix(l.Name, "vg") || strings.HasPrefix(l.Name, "virga") {
			found = append(found, "link "+l.Name)
		}
	}
	return found
}

func tables() (found []string) {
	out, err := exec.Command("nft", "list", "tables").Output()
	if err != nil {
		return nil // without the program there is no second opinion
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "virga") {
			found = append(found, "nft "+strings.TrimSpace(line))
		}
	}
	return found
}

func namespaces() (found []string) {
	names, _ := filepath.Glob("/run/netns/*")
	for _, n := range names {
		found = append(found, "netns "+n)
	}
	return found
}

// processes lists the processes that came from virga's binaries, and what
// they started, by their root directory.
func processes() (found []string) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		if dir == "/proc/self" {
			continue
		}
		exe, _ := os.Readlink(filepath.Join(dir, "exe"))
		cgroup, _ := os.ReadFile(filepath.Join(dir, "cgroup"))
		if strings.Contains(exe, "virga-") || strings.HasSuffix(exe, "/virgad") || strings.Contains(string(cgroup), "/virga/") {
			found = append(found, "process "+filepath.Base(dir)+" "+exe)
		}
	}
	return found
}

// CheckClean asks virga itself: nothing stale, and nothing owned by an
// instance when there is none.
func (d *Daemon) CheckClean(t *testing.T) {
	t.Helper()
	eventually(t, "virga system check finds nothing stale", func() (bool, string) {
		rep, problem := d.check()
		if problem != "" {
			return false, problem
		}
		var stale []string
		for _, r := range rep.Resources {
			if r.Stale {
				stale = append(stale, r.Kind+" "+r.Name+" of "+r.Owner+" "+r.Error)
			}
		}
		return rep.Stale == 0 && len(stale) == 0, strings.Join(stale, "\n")
	})
}

func (d *Daemon) check() (rep api.CheckReport, problem string) {
	r := d.CLI("system", "check", "--json")
	if err := json.Unmarshal([]byte(r.Stdout), &rep); err != nil {
		return rep, r.String()
	}
	return rep, ""
}

// Owned lists what an instance owns on the node, as virga has it.
func (d *Daemon) Owned(t *testing.T, id string) (owned []string) {
	t.Helper()
	rep, problem := d.check()
	if problem != "" {
		t.Fatal(problem)
	}
	for _, r := range rep.Resources {
		if r.Owner == id {
			owned = append(owned, r.Kind+" "+r.Name)
		}
	}
	return owned
}
