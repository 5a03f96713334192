package test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
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

// traces lists what on the machine is the daemon's: mounts, cgroups, links,
// nftables tables and processes. It asks the kernel and not virga, and knows
// only how the names begin: with the directory, or with a hash of the data
// directory, so that another virga on the machine does not count.
func (d *Daemon) traces() []string {
	hash := sha256.Sum256([]byte(d.data()))
	of := func(name string) bool {
		return strings.Contains(name, d.Dir) || strings.Contains(name, hex.EncodeToString(hash[:4])) ||
			strings.HasPrefix(name, "v"+hex.EncodeToString(hash[:3])[:5])
	}
	found := slices.Concat(mounts(of), cgroups(of), links(of), tables(of), processes(of))
	slices.Sort(found)
	return slices.Compact(found)
}

// settled returns what is still there after having waited for the kernel to
// finish what it does in its own time, such as the removal of a network
// namespace.
func (d *Daemon) settled() (left []string) {
	for deadline := time.Now().Add(patience()); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if left = d.traces(); len(left) == 0 {
			return nil
		}
	}
	return left
}

func mounts(of func(string) bool) (found []string) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return []string{"mounts: " + err.Error()}
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) > 4 && of(fields[4]) {
			found = append(found, "mount "+fields[4])
		}
	}
	return found
}

func cgroups(of func(string) bool) (found []string) {
	filepath.WalkDir("/sys/fs/cgroup", func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() && of(path) {
			found = append(found, "cgroup "+path)
		}
		return nil
	})
	return found
}

// links are bridges by their names, and veths that have lost their bridge.
func links(of func(string) bool) (found []string) {
	all, err := net.Interfaces()
	if err != nil {
		return []string{"links: " + err.Error()}
	}
	for _, l := range all {
		_, err := os.Readlink("/sys/class/net/" + l.Name + "/master")
		if of(l.Name) || strings.HasPrefix(l.Name, "vg") && os.IsNotExist(err) {
			found = append(found, "link "+l.Name)
		}
	}
	return found
}

func tables(of func(string) bool) (found []string) {
	out, err := exec.Command("nft", "list", "tables").Output()
	if err != nil {
		return nil // without the program there is no second opinion
	}
	for line := range strings.Lines(string(out)) {
		if of(line) {
			found = append(found, "nft "+strings.TrimSpace(line))
		}
	}
	return found
}

// processes are those of virga's programs and of its instances.
func processes(of func(string) bool) (found []string) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		exe, _ := os.Readlink(filepath.Join(dir, "exe"))
		cgroup, _ := os.ReadFile(filepath.Join(dir, "cgroup"))
		if of(exe) || of(string(cgroup)) {
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
