package test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

func (d *Daemon) credits(t *testing.T, name string, flags ...string) (c api.CPUCredits) {
	t.Helper()
	out := d.Must(t, append([]string{"credits", "--json", name}, flags...)...)
	if err := json.Unmarshal([]byte(out), &c); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return c
}

// An instance with credits may use its vCPUs; one that has none is held at its
// baseline by the kernel.
func TestCreditsDecideTheQuota(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.Must(t, "run", "-d", "--name", "burst", "--type", "burst.nano", image, "sh", "-c", "while :; do :; done")
	quota := func(want float64) {
		t.Helper()
		eventually(t, "the quota", func() (bool, string) {
			s, text := d.stats("burst")
			return s.CPU.Limit >= .9*want && s.CPU.Limit <= 1.2*want && s.Credits != nil, text
		})
	}
	quota(2)
	c := d.credits(t, "burst")
	if c.Mode != api.CreditStandard || c.Cap != 144 || c.EarnPerHour != 6 || c.Launch > 60 {
		t.Errorf("account %+v", c)
	}
	eventually(t, "credits that are spent", func() (bool, string) {
		now := d.credits(t, "burst", "--series", "1s")
		return now.Usage > c.Usage && len(now.Series) > 0 && now.Balance < 60, d.Must(t, "credits", "burst")
	})
	// Launch credits end with the change to unlimited, and standard again has
	// nothing left.
	d.Must(t, "update", "--credits", "unlimited", "burst")
	quota(2)
	d.Must(t, "update", "--credits", "standard", "burst")
	quota(.1)

	spent := d.credits(t, "burst").Usage
	d.Kill9(t)
	d.Restart(t)
	if now := d.credits(t, "burst"); now.Usage < spent || now.Launch > 0 {
		t.Errorf("after a kill of the daemon: %+v, spent before it %v", now, spent)
	}
	quota(.1)
	d.Must(t, "stop", "-t", "0", "burst")
	if now := d.credits(t, "burst"); now.Launch > 0 || now.Limit > 0 {
		t.Errorf("after a stop: %+v", now)
	}
	d.Must(t, "rm", "burst")
}

// What is dedicated is nobody else's, live, and after a restart too.
func TestDedicatedCoresAreExclusive(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	allowed := func(name string) string {
		return d.Must(t, "exec", name, "sh", "-c", "grep Cpus_allowed_list /proc/1/status")
	}
	d.Must(t, "run", "-d", "--name", "other", image, "sleep", "100000")
	before := allowed("other")
	if r := d.CLI("run", "-d", "--name", "mine", "--type", "dedicated.small", image, "sleep", "100000"); r.Code != 0 {
		t.Skip("the machine has no core to spare:", r)
	}
	mine := d.Must(t, "inspect", "--format", "{{.Status.CPUs}}", "mine")
	check := func(when string) {
		t.Helper()
		own, others := allowed("mine"), allowed("other")
		if mine == "" || !strings.HasSuffix(own, "\t"+mine) || own == others || others == before {
			t.Errorf("%s: dedicated %q runs on %q, the other on %q", when, mine, own, others)
		}
		// With cgroup version 1 the daemon keeps away too, with all its threads.
		if _, err := os.Stat("/sys/fs/cgroup/cpuset/cpuset.cpus"); err == nil {
			threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", d.cmd.Process.Pid))
			for _, file := range threads {
				if status, err := os.ReadFile(file); err == nil && strings.Contains(string(status), "\nCpus_allowed_list:\t"+strings.TrimPrefix(before, "Cpus_allowed_list:\t")+"\n") {
					t.Errorf("%s: a thread of the daemon may use all CPUs", when)
				}
			}
		}
	}
	check("at first")
	d.Kill9(t)
	d.Restart(t)
	check("after a restart of the daemon")
	d.Must(t, "rm", "-f", "mine")
	equal(t, "the other's CPUs afterwards", allowed("other"), before)
}

// A busy instance without credits settles on its baseline, by the kernel's own
// counters: not more than its quota in the periods that passed, but for what the
// kernel notices late, and about that much unless others want the CPUs.
func TestUseSettlesOnTheBaseline(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.Must(t, "run", "-d", "--name", "settles", "--type", "burst.nano", image, "sh", "-c", "while :; do :; done")
	d.Must(t, "update", "--credits", "unlimited", "settles")
	d.Must(t, "update", "--credits", "standard", "settles") // nothing is left of the launch credits
	const baseline, period = .1, 10 * time.Millisecond
	atBaseline := func(limit float64) bool { return limit > .9*baseline && limit < 1.01*baseline }
	from, _ := d.stats("settles")
	eventually(t, "the baseline", func() (bool, string) {
		now, text := d.stats("settles")
		if !atBaseline(from.CPU.Limit) || !atBaseline(now.CPU.Limit) {
			from = now
			return false, text
		}
		passed := now.CPU.Periods - from.CPU.Periods
		if passed < 200 { // two seconds at least
			return false, text
		}
		share := float64(now.CPU.Usage-from.CPU.Usage) / float64(time.Duration(passed)*period)
		if share > 1.5*baseline {
			return false, fmt.Sprintf("%.3f vCPUs over %d periods", share, passed) // the longer it is looked at, the less a late notice weighs
		}
		from = now
		return share > baseline/2, text
	})
}

// While a neighbour is busy on whatever it can get, none of its threads runs on
// a dedicated core, nor one of the daemon's and the supervisor's with version 1
// of cgroups.
func TestNobodyRunsOnADedicatedCore(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("a core of one's own beside others: not supported by this machine")
	}
	d := Start(t)
	image := d.Busybox(t)
	// One with a small quota beside it: the daemon has a thread on every CPU for it.
	d.Must(t, "run", "-d", "--name", "limited", "--cpus", "0.1", image, "sh", "-c", "while :; do :; done")
	d.Must(t, "run", "-d", "--name", "hog", image, "sh", "-c", "while :; do :; done & while :; do :; done")
	d.Must(t, "run", "-d", "--name", "alone", "--type", "dedicated.small", image, "sh", "-c", "while :; do :; done")
	core := d.Must(t, "inspect", "--format", "{{.Status.CPUs}}", "alone")
	own := d.Inspect(t, "alone").Status.PID
	others := d.Inspect(t, "hog").Status.PID
	processes := append(descendants(others), descendants(d.Inspect(t, "limited").Status.PID)...)
	if _, err := os.Stat("/sys/fs/cgroup/cpuset/cpuset.cpus"); err == nil {
		processes = append(processes, d.cmd.Process.Pid, parent(t, others))
	}
	first := map[string]time.Duration{}
	for id, s := range threads(processes) {
		first[id] = s.ran
	}
	last := map[string]time.Duration{}
	var hog, alone time.Duration
	for id, s := range threads([]int{own}) {
		last[id] = s.ran
	}
	// Until each has had a second, by the kernel's count.
	eventually(t, "a second of both", func() (bool, string) {
		for id, s := range threads(processes) {
			if before, known := first[id]; known && s.ran > before && s.cpu == core {
				t.Fatalf("thread %s %s ran on the dedicated core %s", id, s.name, core)
			}
		}
		hog, alone = 0, 0
		for id, s := range threads(descendants(others)) {
			hog += s.ran - first[id]
		}
		for id, s := range threads([]int{own}) {
			alone += s.ran - last[id]
			if s.cpu != core {
				t.Fatalf("the dedicated instance runs on %s, its core is %s", s.cpu, core)
			}
		}
		return hog > time.Second && alone > time.Second, fmt.Sprint(hog, alone)
	})
}

// thread is what the kernel tells of one.
type thread struct {
	name, cpu string // the CPU it ran on last
	ran       time.Duration
}

// threads are those of processes, by number.
func threads(processes []int) map[string]thread {
	all := map[string]thread{}
	for _, pid := range processes {
		dirs, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
		for _, dir := range dirs {
			// How long it ran is read first: a CPU that is read after it ran.
			ran, _ := os.ReadFile(filepath.Join(dir, "schedstat"))
			stat, _ := os.ReadFile(filepath.Join(dir, "stat"))
			nanos, _, _ := strings.Cut(string(ran), " ")
			ns, err := strconv.ParseInt(nanos, 10, 64)
			head, rest, ok := strings.Cut(string(stat), ") ")
			fields := strings.Fields(rest)
			if err != nil || !ok || len(fields) < 37 {
				continue // it has ended
			}
			_, name, _ := strings.Cut(head, "(")
			all[filepath.Base(dir)] = thread{name, fields[36], time.Duration(ns)}
		}
	}
	return all
}

// descendants are a process and all that it started.
func descendants(pid int) []int {
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", all[i], all[i]))
		for child := range strings.FieldsSeq(string(children)) {
			if n, err := strconv.Atoi(child); err == nil {
				all = append(all, n)
			}
		}
	}
	return all
}

// parent is the process that started one.
func parent(t *testing.T, pid int) int {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	f := strings.Fields(rest)
	if len(f) < 2 {
		t.Fatalf("stat of %d: %q", pid, stat)
	}
	n, err := strconv.Atoi(f[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
